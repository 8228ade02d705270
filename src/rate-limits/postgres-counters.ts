import { type RawBuilder, sql } from 'kysely';
import { type Database, type Executor, type Param, Statement } from '../database/index.js';
import { type Count, type Counters, nameOf, type RateLimitKey } from './counters.js';

/** What counting one needs, as a statement takes it. Milliseconds, of the system's clock. */
export interface CountValues {
  window: string;
  limitPoints: number;
  countedAt: number;
  countedUntil: number;
}

/** What a statement says of a window in which it has counted one. */
export interface Counted {
  points: number;
  expire: number;
}

interface Release {
  /** In the order in which they were counted. */
  windows: string[];
  reset: string[];
  now: number;
}

/**
 * Counts in the table `rate_limits`, for all instances together. Windows are measured by the system's time; the readiness
 * check keeps that of instances together.
 *
 * All windows of an attempt are counted by one statement, and given back by one. Either locks them in the same order, so
 * that of two attempts which share windows one waits for the other, and never both.
 */
export class PostgresCounters implements Counters {
  /** By how many places there are. */
  private readonly taking = new Map<number, Statement<Record<string, string | number>, Counted>>();
  private readonly releasing = new Statement(release);

  constructor(private readonly db: Database) {}

  async take(places: readonly RateLimitKey[]): Promise<Count[]> {
    const each = places.map(countValues);
    const values = Object.fromEntries(
      each.flatMap((one, at) => Object.entries(one).map(([name, value]) => [`${name}${at}`, value])),
    );
    const counted = await this.takingFor(places.length).execute(this.db, values);
    return counted.map((one) => countOf(one));
  }

  async release(places: readonly RateLimitKey[], reset: readonly RateLimitKey[] = []): Promise<void> {
    const values = { windows: places.map(nameOf), reset: reset.map(nameOf), now: Date.now() };
    await this.releasing.execute(this.db, values);
  }

  private takingFor(size: number) {
    const taking = this.taking.get(size) ?? new Statement((db, param) => countEach(db, param, size));
    this.taking.set(size, taking);
    return taking;
  }
}

export function countValues(place: RateLimitKey): CountValues {
  const now = Date.now();
  const { points, seconds } = place.limit;
  return { window: nameOf(place), limitPoints: points, countedAt: now, countedUntil: now + seconds * 1000 };
}

export function countOf({ points, expire }: Counted): Count {
  return { taken: points, msLeft: expire - Date.now() };
}

/** Counts one, also for a statement that does more besides. @param where nothing is counted unless it holds */
export function countOne(db: Executor, param: Param<CountValues>, where = sql<boolean>`true`) {
  const isOver = sql<boolean>`rate_limits.expire <= ${param('countedAt')}`;
  return db
    .insertInto('rate_limits')
    .columns(['key', 'points', 'expire'])
    .expression(sql`select ${param('window')}, 1, ${param('countedUntil')} where ${where}`)
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet({
        points: sql`case when ${isOver} then 1 else rate_limits.points + 1 end`,
        expire: sql`case when ${isOver} then excluded.expire else rate_limits.expire end`,
      }),
    )
    .returning(['points', 'expire']);
}

/** One after the other: each looks at what the one before has come to. */
function countEach(
  db: Executor,
  param: Param<Record<string, string | number>>,
  size: number,
): RawBuilder<Counted> {
  const counts = Array.from({ length: size }, (_, at) => {
    const own: Param<CountValues> = (name) => param(`${name}${at}`) as RawBuilder<never>;
    const within = sql<boolean>`(select points from ${nth(at - 1)}) <= ${param(`limitPoints${at - 1}`)}`;
    return sql`${nth(at)} as (${countOne(db, own, at === 0 ? undefined : within)})`;
  });
  const rows = counts.map((_, at) => sql`select ${sql.lit(at)} as nth, points, expire from ${nth(at)}`);
  return sql<Counted>`with ${sql.join(counts)} ${sql.join(rows, sql` union all `)} order by nth`;
}

function nth(at: number) {
  return sql.table(`counted_${at}`);
}

/**
 * Reads the windows as they are once they are locked, whatever they were when the statement began. One that is over is left
 * to the purge, as nothing in it counts.
 */
function release(_: Executor, param: Param<Release>): RawBuilder<never> {
  return sql<never>`
    with held as materialized (
      select key, points <= 1 or key = any(${param('reset')}) as ends from rate_limits
      where key = any(${param('windows')}) and (expire > ${param('now')} or key = any(${param('reset')}))
      order by array_position(${param('windows')}::text[], key) for update
    ), ended as (
      delete from rate_limits using held where rate_limits.key = held.key and held.ends
    )
    update rate_limits set points = rate_limits.points - 1
    from held where rate_limits.key = held.key and not held.ends`;
}
