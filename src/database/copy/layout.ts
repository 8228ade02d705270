import { DEFAULT_MIGRATION_LOCK_TABLE, DEFAULT_MIGRATION_TABLE, sql } from 'kysely';
import { type Database } from '../database.js';

export interface TableLayout {
  name: string;
  columns: readonly { name: string; type: string; isAutoIncrementing: boolean }[];
  /** The columns of the primary key; empty without one. */
  key: readonly string[];
}

/** Not copied: transaction ids mean nothing to another server, and its triggers write its own. */
const TRANSACTION_ID = 'xid8';

interface Pair {
  table: string;
  name: string;
}

/** Reads the tables of our schema, except those of the migrations; each table comes after those that it references. */
export async function readLayout(db: Database): Promise<TableLayout[]> {
  const schema = await currentSchema(db);
  const found = (await db.introspection.getTables({ withInternalKyselyTables: true })).filter(
    (table) => !table.isView && table.schema === schema && !isInternal(table.name),
  );
  const keys = await readKeys(db);
  const tables = found.map(({ name, columns }) => ({
    name,
    columns: columns
      .filter(({ dataType }) => dataType !== TRANSACTION_ID)
      .map((column) => ({
        name: column.name,
        type: column.dataType.toLowerCase(),
        isAutoIncrementing: column.isAutoIncrementing,
      })),
    key: keys.filter(({ table }) => table === name).map((column) => column.name),
  }));
  return inOrder(tables, await readReferences(db));
}

/** Whether migrations have ever run in the database. */
export async function hasMigrations(db: Database): Promise<boolean> {
  const schema = await currentSchema(db);
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  return tables.some((table) => table.name === DEFAULT_MIGRATION_TABLE && table.schema === schema);
}

function isInternal(name: string): boolean {
  return (
    name === DEFAULT_MIGRATION_TABLE || name === DEFAULT_MIGRATION_LOCK_TABLE || name.startsWith('sqlite_')
  );
}

async function currentSchema(db: Database): Promise<string | undefined> {
  if (db.engine === 'sqlite') return undefined;
  const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(db);
  return rows[0]?.schema;
}

async function readKeys(db: Database): Promise<Pair[]> {
  const query =
    db.engine === 'sqlite'
      ? sql<Pair>`
          select m.name as "table", c.name from sqlite_schema m, pragma_table_info(m.name) c
          where m.type = 'table' and c.pk > 0 order by m.name, c.pk`
      : sql<Pair>`
          select t.relname as "table", a.attname as name from pg_index i
          join pg_class t on t.oid = i.indrelid
          join pg_attribute a on a.attrelid = t.oid and a.attnum = any(i.indkey)
          where i.indisprimary and t.relnamespace = current_schema()::regnamespace`;
  return (await query.execute(db)).rows;
}

/** `name` is the table that `table` references. */
async function readReferences(db: Database): Promise<Pair[]> {
  const query =
    db.engine === 'sqlite'
      ? sql<Pair>`
          select m.name as "table", f."table" as name from sqlite_schema m, pragma_foreign_key_list(m.name) f
          where m.type = 'table'`
      : sql<Pair>`
          select t.relname as "table", r.relname as name from pg_constraint c
          join pg_class t on t.oid = c.conrelid join pg_class r on r.oid = c.confrelid
          where c.contype = 'f' and t.relnamespace = current_schema()::regnamespace`;
  return (await query.execute(db)).rows.filter(({ table, name }) => table !== name);
}

/** Tables that reference each other in a circle come last, in any order. */
function inOrder(tables: readonly TableLayout[], references: readonly Pair[]): TableLayout[] {
  const ordered: TableLayout[] = [];
  let rest = tables.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  while (rest.length > 0) {
    const waits = ({ name }: TableLayout) =>
      references.some(({ table, name: on }) => table === name && rest.some((each) => each.name === on));
    const free = rest.filter((table) => !waits(table));
    const next = free.length > 0 ? free : rest;
    ordered.push(...next);
    rest = rest.filter((table) => !next.includes(table));
  }
  return ordered;
}
