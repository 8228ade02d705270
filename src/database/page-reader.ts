import { type CompiledQuery } from 'kysely';

const PAGE_ROWS = 10_000;

/** Hands the rows of a query over in pages. */
export type ReadPages = <R>(query: CompiledQuery<R>, onPage: (rows: R[]) => void) => Promise<void>;

type Execute = (sql: string, parameters?: readonly unknown[]) => Promise<unknown[]>;

/**
 * Reads by a cursor in a transaction of its own: each page is one short statement, however many rows there are, and all pages
 * show one moment.
 */
export async function readByCursor<R>(
  execute: Execute,
  { sql, parameters }: CompiledQuery<R>,
  onPage: (rows: R[]) => void,
): Promise<void> {
  await execute('begin read only');
  try {
    await execute(`declare pages no scroll cursor for ${sql}`, parameters);
    for (let rows = PAGE_ROWS; rows === PAGE_ROWS;) {
      const page = (await execute(`fetch ${PAGE_ROWS} from pages`)) as R[];
      onPage(page);
      rows = page.length;
    }
    await execute('commit');
  } catch (error) {
    // The first error counts; a rollback on a lost connection fails as well.
    await execute('rollback').catch(() => {});
    throw error;
  }
}
