import type pg from 'pg';

/** `bigint` columns hold milliseconds and counts, all safe integers. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`the database returned ${text}, beyond a safe integer`);
  return value;
}

/** The column types of every connection to PostgreSQL. */
export function columnTypes({ types }: typeof pg): pg.CustomTypesConfig {
  return {
    getTypeParser: (oid, format) =>
      oid === types.builtins.INT8 ? parseInt8 : types.getTypeParser(oid, format),
  };
}
