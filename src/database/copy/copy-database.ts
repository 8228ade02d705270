import { sql } from 'kysely';
import { codeOf } from '../database-errors.js';
import { type Database, type Tx } from '../database.js';
import { type MigrationSet } from '../migrations.js';
import { hasMigrations, readLayout, type TableLayout } from './layout.js';
import { canonical, convertForPostgres, convertForSqlite, type Value } from './values.js';

/** The databases cannot be copied as they are. Nothing was written, except for the empty tables of the target. */
export class CopyError extends Error {
  override readonly name = 'CopyError';
}

type Row = Record<string, Value>;

const ROWS_PER_BATCH = 500;
/** PostgreSQL takes 65,535 parameters in a statement, SQLite 32,766. */
const MAX_PARAMETERS = 30_000;
/** Rows of each table that are read again, spread over the table. */
const SAMPLE_ROWS = 200;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Copies every row of `source` into the tables of `target`, which the migrations create. One transaction of the target, which
 * commits after counts and a sample of rows were compared.
 * @returns how many rows each table has
 * @throws CopyError for databases that are in use, of another version, or not empty
 */
export async function copyDatabase(
  source: Database,
  target: Database,
  migrations: MigrationSet,
): Promise<ReadonlyMap<string, number>> {
  await requireUnused(source, 'FROM');
  await requireUnused(target, 'TO');
  if (!(await hasMigrations(source))) throw new CopyError('FROM has no tables of this application');
  const missing = await migrations.missing(source);
  if (missing.length > 0)
    throw new CopyError(
      `FROM is of an older version: start the server on it once, which runs ${missing.length} migrations`,
    );
  await requireEmpty(target);
  await migrations.run(target);
  const tables = await readLayout(target);
  await requireSameTables(await readLayout(source), tables);
  return target.withoutLimits((to) =>
    source.withoutLimits((from) =>
      from.inTransaction(async (reading) => {
        await lockTables(from, reading, tables);
        return to.inTransaction(async (writing) => {
          // Tables may reference each other in a circle.
          if (to.engine === 'sqlite') await sql`pragma defer_foreign_keys = on`.execute(writing);
          const counts = new Map<string, number>();
          for (const table of tables)
            counts.set(table.name, await copyTable(from, reading, to, writing, table));
          return counts;
        });
      }),
    ),
  );
}

/** A running server would write rows that are not copied. Only for PostgreSQL: an SQLite file in use cannot be opened. */
async function requireUnused(db: Database, which: string): Promise<void> {
  if (db.engine === 'sqlite') return;
  const { rows } = await sql<{ pid: number }>`
    select pid from pg_stat_activity where datname = current_database() and application_name = 'freshgate'
      and pid <> pg_backend_pid()`.execute(db);
  if (rows.length > 0) throw new CopyError(`a server (or a command) is connected to ${which}: stop it first`);
}

async function requireEmpty(target: Database): Promise<void> {
  for (const { name } of await readLayout(target)) {
    const { rows } = await sql`select 1 from ${sql.table(name)} limit 1`.execute(target);
    if (rows.length > 0) throw new CopyError(`TO is not empty: the table ${name} has rows`);
  }
}

async function requireSameTables(source: TableLayout[], target: TableLayout[]): Promise<void> {
  for (const table of source) {
    const other = target.find(({ name }) => name === table.name);
    const unknown = other
      ? table.columns.find(({ name }) => other.columns.every((column) => column.name !== name))
      : undefined;
    if (other && !unknown) continue;
    const what = unknown ? `the column ${table.name}.${unknown.name}` : `the table ${table.name}`;
    throw new CopyError(
      `FROM has ${what}, which no module of this version creates: use the version that it belongs to, or drop it`,
    );
  }
}

/** Keeps other programs from writing while the copy reads. @throws CopyError if one is writing now */
async function lockTables(from: Database, reading: Tx, tables: readonly TableLayout[]): Promise<void> {
  if (from.engine === 'sqlite') return;
  const names = sql.join(tables.map(({ name }) => sql.table(name)));
  try {
    await sql`lock table ${names} in share mode nowait`.execute(reading);
  } catch (error) {
    if (codeOf(error) !== LOCK_NOT_AVAILABLE) throw error;
    throw new CopyError('another program is writing to FROM: stop it first');
  }
}

async function copyTable(
  from: Database,
  reading: Tx,
  to: Database,
  writing: Tx,
  table: TableLayout,
): Promise<number> {
  const count = await countRows(reading, table);
  const every = Math.max(1, Math.floor(count / SAMPLE_ROWS));
  const sample: Row[] = [];
  let copied = 0;
  for await (const rows of readBatches(from, reading, table)) {
    sample.push(...rows.filter((_, i) => (copied + i) % every === 0));
    copied += rows.length;
    await insert(to, writing, table, rows);
  }
  if ((await countRows(writing, table)) !== count || copied !== count)
    throw new CopyError(`${table.name}: ${copied} rows were copied, and FROM has ${count}`);
  for (const row of sample) await compare(writing, table, row);
  if (to.engine === 'postgres') await continueSequences(writing, table);
  return count;
}

async function countRows(db: Tx, { name }: TableLayout): Promise<number> {
  const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(name)}`.execute(db);
  return Number(rows[0]?.count);
}

async function* readBatches(from: Database, reading: Tx, { name }: TableLayout): AsyncGenerator<Row[]> {
  if (from.engine === 'postgres') {
    await sql`declare copied no scroll cursor for select * from ${sql.table(name)}`.execute(reading);
    for (;;) {
      const { rows } = await sql<Row>`fetch ${sql.lit(ROWS_PER_BATCH)} from copied`.execute(reading);
      if (rows.length === 0) break;
      yield rows;
    }
    await sql`close copied`.execute(reading);
    return;
  }
  for (let after = -1; ;) {
    const { rows } = await sql<Row & { copied_rowid: number }>`
      select rowid as copied_rowid, * from ${sql.table(name)} where rowid > ${after}
      order by rowid limit ${ROWS_PER_BATCH}`.execute(reading);
    if (rows.length === 0) return;
    after = Number(rows.at(-1)?.copied_rowid);
    yield rows;
  }
}

async function insert(to: Database, writing: Tx, { name, columns }: TableLayout, rows: Row[]): Promise<void> {
  const present = columns.filter((column) => column.name in (rows[0] ?? {}));
  const perStatement = Math.max(1, Math.floor(MAX_PARAMETERS / Math.max(1, present.length)));
  const valueOf = (row: Row, column: (typeof present)[number]) => {
    const value = row[column.name] ?? null;
    return to.engine === 'sqlite' ? convertForSqlite(value) : convertForPostgres(value, column.type);
  };
  for (let i = 0; i < rows.length; i += perStatement) {
    const values = rows
      .slice(i, i + perStatement)
      .map((row) => sql`(${sql.join(present.map((column) => valueOf(row, column)))})`);
    const names = sql.join(present.map((column) => sql.ref(column.name)));
    await sql`insert into ${sql.table(name)} (${names}) values ${sql.join(values)}`.execute(writing);
  }
}

/** Without a primary key there is nothing to find the row by. */
async function compare(writing: Tx, { name, key, columns }: TableLayout, row: Row): Promise<void> {
  if (key.length === 0) return;
  const conditions = key.map((column) => sql`${sql.ref(column)} = ${row[column]}`);
  const { rows } = await sql<Row>`
    select * from ${sql.table(name)} where ${sql.join(conditions, sql` and `)}`.execute(writing);
  const [copy] = rows;
  const wrong = columns.find(
    ({ name: column }) => !copy || canonical(copy[column] ?? null) !== canonical(row[column] ?? null),
  );
  if (wrong) throw new CopyError(`${name}: a row differs in ${wrong.name} after it was copied`);
}

/** The next number of a generated key comes after those that were copied. */
async function continueSequences(writing: Tx, { name, columns }: TableLayout): Promise<void> {
  for (const column of columns.filter(({ isAutoIncrementing }) => isAutoIncrementing))
    await sql`
      select setval(pg_get_serial_sequence(${name}, ${column.name}), max(${sql.ref(column.name)}))
      from ${sql.table(name)}`.execute(writing);
}
