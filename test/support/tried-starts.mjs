import { pathToFileURL } from 'node:url';
import { dirname, join } from 'node:path';

/*
 * A process that tries one start after the other, as `main.js` does it, and loads the server once:
 *
 *   fork('tried-starts.mjs', ['…/dist/main.js'])
 *
 * Each message is a try, `{ env, folder }`; the answer is what `main.js` would write to stderr, or null if the server listens.
 */
const dist = dirname(process.argv[2] ?? '');
const load = (name) => import(pathToFileURL(join(dist, name)).href);
const [{ startServer }, { explainFailedStart }] = await Promise.all([
  load('app.start.js'),
  load('app.module.js'),
]);

async function tryStart({ env, folder }) {
  process.chdir(folder);
  // Another object would not be what `process.loadEnvFile` writes to.
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, env);
  try {
    await startServer();
    process.send(null);
  } catch (error) {
    process.send(explainFailedStart(error));
  }
}

process.on('message', (message) => void tryStart(message));
process.send('ready');
