import { type CompiledQuery, type QueryResult } from 'kysely';
import type Libsql from 'libsql';
import { LRUCache } from 'lru-cache';

/** Statements; an application has some fifty, and an `in` with as many ids as there are makes more of them. */
const MOST = 200;

interface KeptStatement {
  statement: Libsql.Statement<[readonly unknown[]]>;
  /** Whether it has rows to give. */
  reads: boolean;
}

/** Statements of an embedded database, by their text: preparing one costs as much as most of them take. */
export class KeptStatements {
  private readonly kept = new LRUCache<string, KeptStatement>({ max: MOST });

  constructor(private readonly handle: Libsql.Database) {}

  execute<R>({ sql, parameters }: CompiledQuery): QueryResult<R> {
    const { statement, reads } = this.kept.get(sql) ?? this.keep(sql);
    if (reads) return { rows: statement.all(parameters) as R[] };
    const { changes, lastInsertRowid } = statement.run(parameters);
    return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] };
  }

  private keep(sql: string): KeptStatement {
    const statement = this.handle.prepare<[readonly unknown[]]>(sql);
    const kept = { statement, reads: statement.reader };
    this.kept.set(sql, kept);
    return kept;
  }
}
