import { type CompiledQuery } from 'kysely';

const PAGE_ROWS = 10_000;

/** Reads the rows of a query in pages. */
export type ReadPages = <R>(query: CompiledQuery<R>, onPage: (rows: R[]) => void) => Promise<void>;

type Execute = (sql: string, parameters?: readonly unknown[]) => Promise<unknown[]>;

/** Reads by a cursor in its own transaction: each page is one short statement, and all pages show the same moment. */
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
    // Reports the first error; on a lost connection the rollback fails too.
    await execute('rollback').catch(() => {});
    throw error;
  }
}
