import { createHash } from 'node:crypto';
import { type Database } from '../../database/index.js';
import { type CountValues, countValues } from './count-one.js';
import { type Limit } from './limit.js';
import { MemoryCounters } from './memory-counters.js';
import { PostgresCounters } from './postgres-counters.js';

/** What one more has made of a counter. */
export interface Count {
  /** With this one. */
  taken: number;
  /** Milliseconds until the window ends. */
  msLeft: number;
}

/** Windows of one limit, by key. Each method is one step that no parallel request can come between. */
export interface CounterStore {
  /** Counts one; the first begins the window. */
  take(key: string): Promise<Count>;
  /** Takes one off again, unless the window is over. A window in which nothing counts is none. */
  giveBack(key: string): Promise<void>;
  /** Ends the window. */
  forget(key: string): Promise<void>;
}

/** Counters of one limit: in PostgreSQL where instances share it, else in memory. */
export class Counters implements CounterStore {
  private readonly store: CounterStore;

  constructor(
    readonly name: string,
    readonly limit: Limit,
    db: Database,
  ) {
    this.store =
      db.engine === 'postgres' ? new PostgresCounters(name, limit, db) : new MemoryCounters(limit.seconds);
  }

  /** @throws when the store cannot answer */
  async take(key: string): Promise<Count> {
    return this.store.take(hashed(key));
  }

  /** For a statement of PostgreSQL that counts one and does more besides. */
  valuesOf(key: string): CountValues {
    return countValues(`${this.name}:${hashed(key)}`, this.limit);
  }

  async giveBack(key: string): Promise<void> {
    await this.store.giveBack(hashed(key));
  }

  async forget(key: string): Promise<void> {
    await this.store.forget(hashed(key));
  }
}

/** Bounds a key's length, and keeps what strangers write out of tables and dumps. */
function hashed(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
