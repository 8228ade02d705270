/** Error codes beyond this many are counted as `other`; PostgreSQL has about 260, of which few ever occur. */
const MAX_CODES = 50;

/** Connections of the pool. */
export interface PoolUse {
  readonly max: number;
  readonly open: number;
  readonly idle: number;
  /** Requests that wait for a connection. */
  readonly waiting: number;
}

/** Counts for the metrics of a database. */
export class DatabaseStatistics {
  /** Errors by SQLSTATE, or by the code of the driver where there was no answer (`ECONNREFUSED`). */
  readonly errors = new Map<string, number>();
  /** Milliseconds by which the process's clock was ahead of the database server's when it was last compared. */
  clockSkew = Number.NaN;
  private readUse: () => PoolUse | undefined = () => undefined;

  /** Undefined on SQLite, and before the first query. */
  get pool(): PoolUse | undefined {
    return this.readUse();
  }

  observePool(readUse: () => PoolUse): void {
    this.readUse = readUse;
  }

  countError(code: string): void {
    const known = this.errors.has(code) || this.errors.size < MAX_CODES;
    const label = known && /^[\w-]{1,32}$/.test(code) ? code : 'other';
    this.errors.set(label, (this.errors.get(label) ?? 0) + 1);
  }
}
