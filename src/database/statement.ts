import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import { type Executor } from './database.js';

/** What a statement has in place of a value, until it is run. */
class Parameter {
  constructor(readonly name: PropertyKey) {}
}

/** Stands for the value that is called so. */
export type Param<P> = <K extends keyof P>(name: K) => RawBuilder<P[K]>;

/** One of Kysely's builders, or a text of `sql`. */
interface Buildable<R> {
  compile(db: Executor): CompiledQuery<R>;
}

/** Texts of which each connection to PostgreSQL keeps the plan, and the names that it knows them by. */
const kept = new Map<string, string>();

/**
 * A statement that is built once, and of which PostgreSQL keeps the plan: building, parsing and planning cost several times
 * what it takes to run. It must name the columns that it gives: a plan of `*` fails once a migration has added one.
 */
export class Statement<P extends object, R> {
  private built: CompiledQuery<R> | undefined;

  constructor(private readonly build: (db: Executor, param: Param<P>) => Buildable<R>) {}

  async execute(db: Executor, values: P): Promise<R[]> {
    this.built ??= keepPlan(this.compile(db));
    const parameters = this.built.parameters.map((each) =>
      each instanceof Parameter ? values[each.name as keyof P] : each,
    );
    const { rows } = await db.executeQuery<R>({ ...this.built, parameters });
    return rows;
  }

  private compile(db: Executor): CompiledQuery<R> {
    return this.build(db, <K extends keyof P>(name: K) => sql<P[K]>`${new Parameter(name)}`).compile(db);
  }
}

/** For a text that is always the same, and names its columns. */
function keepPlan<Q extends CompiledQuery>(query: Q): Q {
  if (!kept.has(query.sql)) kept.set(query.sql, `freshgate_${kept.size}`);
  return query;
}

export function nameOf(text: string): string | undefined {
  return kept.get(text);
}
