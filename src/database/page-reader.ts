import { type CompiledQuery } from 'kysely';

const PAGE_ROWS = 10_000;

/** How far a read has come: it has seen every transaction before `xid`. Comparable on the same `server` only. */
export interface ReadPosition {
  readonly server: string;
  readonly xid: bigint;
}

/** A query that is read in pages. */
export interface PagedRead<R> {
  /** The table that the rows come from. */
  readonly table: string;
  /** Where the last read ended. All rows are read if it is undefined, or of another server. */
  readonly since: ReadPosition | undefined;
  /** The query for rows changed by transaction `xid` or a later one; for all rows if `xid` is undefined. */
  readonly queryFrom: (xid: bigint | undefined) => CompiledQuery<R>;
  readonly onPage: (rows: R[]) => void;
}

export interface PagedReadResult {
  /** Where the next read may begin; undefined if it must read all rows. */
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
 * Returns a name of the server that changes when transaction ids may go back or the table may lose rows. A restart or a
 * failover changes the start time; crash recovery without a restart resets the statistics; a restored or truncated table
 * is another file. Without synchronous commit a crash can undo transactions that were seen.
 * @returns undefined if this cannot be known
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
