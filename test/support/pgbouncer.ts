import { describe } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { type TestDatabase } from './engines.js';
import { freePort } from './free-port.mjs';

/** Where `global-setup.mjs` says why there is no PgBouncer. */
const PGBOUNCER_MISSING = 'FRESHGATE_TEST_PGBOUNCER_MISSING';

/** Declares tests that need a PgBouncer before a PostgreSQL. */
export const describePgBouncer = process.env[PGBOUNCER_MISSING] === undefined ? describe : describe.skip;

type PoolMode = 'session' | 'transaction';

/** A connection pooler with the settings that it comes with, between an application and a database. */
export class PgBouncer {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    private readonly target: URL,
    private readonly port: number,
  ) {}

  static async start({ url }: TestDatabase, mode: PoolMode): Promise<PgBouncer> {
    const target = new URL(url);
    const folder = mkdtempSync(join(tmpdir(), 'freshgate-pgbouncer-'));
    chmodSync(folder, 0o755);
    const port = await freePort();
    const users = join(folder, 'users.txt');
    writeFileSync(users, `"${target.username}" "${target.password}"\n`);
    const config = join(folder, 'pgbouncer.ini');
    const settings = [
      '[databases]',
      `* = host=${target.hostname} port=${target.port}`,
      '[pgbouncer]',
      'listen_addr = 127.0.0.1',
      `listen_port = ${port}`,
      'unix_socket_dir =',
      'auth_type = plain',
      `auth_file = ${users}`,
      `admin_users = ${target.username}`,
      `pool_mode = ${mode}`,
    ];
    writeFileSync(config, settings.join('\n'));
    // It refuses to run as root, as PostgreSQL does.
    const user = process.getuid?.() === 0 ? ['-u', 'postgres'] : [];
    const env = { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
    const child = spawn('pgbouncer', [...user, config], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    await new Promise<void>((resolve, reject) => {
      let output = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('process up')) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`PgBouncer ended: ${output}`)));
    });
    return new PgBouncer(child, folder, target, port);
  }

  /** The same database, by way of here. */
  get database(): TestDatabase {
    return { url: this.urlOf(this.target.pathname), drop: async () => {} };
  }

  /** As an operator changes it beside running applications. */
  async setPoolMode(mode: PoolMode): Promise<void> {
    const admin = new pg.Client({ connectionString: this.urlOf('/pgbouncer') });
    await admin.connect();
    await admin.query(`SET pool_mode = '${mode}'`);
    await admin.end();
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => {
      this.child.once('exit', resolve);
    });
    this.child.kill('SIGTERM');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  private urlOf(path: string): string {
    const url = new URL(this.target);
    url.hostname = '127.0.0.1';
    url.port = String(this.port);
    url.pathname = path;
    return url.href;
  }
}
