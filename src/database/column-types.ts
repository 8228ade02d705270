import pg from 'pg';

const INT8 = pg.types.builtins.INT8;

/** `bigint` columns hold milliseconds and counts, all within the integers that a number holds exactly. */
function parseInt8(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value))
    throw new RangeError(`the database returned ${text}, beyond a safe integer`);
  return value;
}

/** How every connection to PostgreSQL reads columns. */
export const COLUMN_TYPES: pg.CustomTypesConfig = {
  getTypeParser: (oid, format) => (oid === INT8 ? parseInt8 : pg.types.getTypeParser(oid, format)),
};
