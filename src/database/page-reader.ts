import { type CompiledQuery } from 'kysely';

const PAGE_ROWS = 10_000;

/** How far a read has seen: every transaction before `xid`. Compares with positions of the same `server` only. */
export interface ReadPosition {
  readonly server: string;
  readonly xid: bigint;
}

/** What is read, in pages. */
export interface PagedRead<R> {
  /** The table that the rows come from. */
  readonly table: string;
  /** Where the last read ended; all rows are read if it is undefined, or says nothing of the database as it is now. */
  readonly since: ReadPosition | undefined;
  /** The query for rows that transaction `xid`, or one with a higher number, has changed; for all rows if it is undefined. */
  readonly queryFrom: (xid: bigint | undefined) => CompiledQuery<R>;
  readonly onPage: (rows: R[]) => void;
}

export interface PagedReadResult {
  /** Where the next read may begin; undefined if it has to read all rows. */
  readonly position: ReadPosition | undefined;
  /** Whether all rows were read. */
  readonly isWhole: boolean;
}

export type ReadPages = <R>(read: PagedRead<R>) => Promise<PagedReadResult>;

export type Execute = (sql: string, parameters?: readonly unknown[]) => Promise<unknown[]>;

/**
 * Reads by a cursor in its own transaction: each page is one short statement, and all pages show the same moment.
 *
 * A later read may begin at the `xmin` of this one's snapshot: every transaction below it has ended, so none of them can commit
 * a row afterwards.
 */
export async function readByCursor<R>(
  execute: Execute,
  { table, since, queryFrom, onPage }: PagedRead<R>,
): Promise<PagedReadResult> {
  const server = await nameServer(execute, table);
  await execute('begin isolation level repeatable read read only');
  try {
    const [row] = (await execute('select pg_snapshot_xmin(pg_current_snapshot())::text as xmin')) as {
      xmin: string;
    }[];
    const xmin = BigInt(row?.xmin ?? 0);
    const from = since && since.server === server && since.xid <= xmin ? since.xid : undefined;
    const { sql, parameters } = queryFrom(from);
    await execute(`declare pages no scroll cursor for ${sql}`, parameters);
    for (let rows = PAGE_ROWS; rows === PAGE_ROWS;) {
      const page = (await execute(`fetch ${PAGE_ROWS} from pages`)) as R[];
      onPage(page);
      rows = page.length;
    }
    await execute('commit');
    return {
      position: server === undefined ? undefined : { server, xid: xmin },
      isWhole: from === undefined,
    };
  } catch (error) {
    // Reports the first error; on a lost connection the rollback fails too.
    await execute('rollback').catch(() => {});
    throw error;
  }
}

/**
 * Names the server as long as its transaction ids only go up, and the table keeps its rows. A restart or a failover changes the
 * start time; crash recovery without a restart resets the statistics; a restored or truncated table is another file.
 * Without synchronous commit a crash can take back transactions that were seen.
 * @returns undefined if none of that can be known
 */
async function nameServer(execute: Execute, table: string): Promise<string | undefined> {
  const rows = await execute(
    `select concat_ws(' ', pg_postmaster_start_time(), (select stats_reset from pg_stat_bgwriter),
       (select oid from pg_database where datname = current_database()), pg_relation_filenode($1::regclass)) as server
     where current_setting('synchronous_commit') <> 'off'`,
    [table],
  ).catch(() => []);
  return (rows as { server: string }[])[0]?.server;
}
