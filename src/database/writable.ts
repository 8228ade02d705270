import { READ_ONLY } from './postgres-errors.js';

/** The server answers but is read-only: a standby, or a primary that was set to read-only. Its data may be old. */
export class ReadOnlyDatabaseError extends Error {
  override readonly name = 'ReadOnlyDatabaseError';
  readonly code = READ_ONLY;

  constructor() {
    super('the database server is read-only (a standby, or default_transaction_read_only is on)');
  }
}

interface Queryable {
  query(sql: string): Promise<{ rows: unknown[] }>;
}

/** @throws ReadOnlyDatabaseError */
export async function assertWritable(client: Queryable): Promise<void> {
  const { rows } = await client.query(
    `select pg_is_in_recovery() or current_setting('transaction_read_only')::boolean as read_only`,
  );
  const [row] = rows as { read_only: boolean }[];
  if (row?.read_only !== false) throw new ReadOnlyDatabaseError();
}
