/** What SQLite stores. */
type SqliteValue = string | number | bigint | null | Uint8Array;
/** A value of a row, as the driver of either engine gives it. */
export type Value = SqliteValue | boolean | Date | object;

/** A value for a column of PostgreSQL, from either engine. */
export function convertForPostgres(value: Value, type: string): Value {
  return type.startsWith('bool') && typeof value === 'number' ? value !== 0 : value;
}

/** A value for SQLite, which stores booleans as numbers, and times and JSON as text. */
export function convertForSqlite(value: Value): SqliteValue {
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Date) return value.toISOString();
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return JSON.stringify(value);
}

/** Converts a value to text, which is the same for both engines. */
export function canonical(value: Value): string {
  const plain = convertForSqlite(value);
  if (plain === null) return 'null';
  return plain instanceof Uint8Array ? `bytes ${Buffer.from(plain).toString('hex')}` : `value ${plain}`;
}
