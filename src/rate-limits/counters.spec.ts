import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createTestDatabase, describeEachEngine, type TestDatabase } from '../../test/support/engines.js';
import {
  Database,
  DatabaseUnavailableError,
  MigrationSet,
  openDatabase,
  PURGE_MARGIN_MS,
  Purger,
} from '../database/index.js';
import { SystemClock } from '../time/clock.js';
import { type Counters, type RateLimitKey } from './counters.js';
import { MemoryCounters } from './memory-counters.js';
import { PostgresCounters } from './postgres-counters.js';
import { RateLimitPurge } from './rate-limit-purge.js';
import { rateLimitsMigrations } from './rate-limits.table.js';
import { RateLimitReservation } from './rate-limit-reservation.js';

async function takeOne(counters: Counters, place: RateLimitKey) {
  const [count] = await counters.take([place]);
  return count!;
}

describeEachEngine('counters', (engine) => {
  let test: TestDatabase;
  let db: Database;
  let counters: Counters;
  let now = Date.now();
  beforeAll(async () => {
    test = await createTestDatabase(engine);
    db = openDatabase(test.url);
    const migrations = new MigrationSet(db);
    migrations.add(rateLimitsMigrations);
    await migrations.run();
    const clock = () => now;
    counters = engine === 'postgres' ? new PostgresCounters(db, clock) : new MemoryCounters(undefined, clock);
  });
  afterAll(async () => {
    await db.destroy();
    await test.drop();
  });

  /** What one limit counts. */
  const counting = (name: string, points = 3, seconds = 60) => {
    const place = (key: string): RateLimitKey => ({ limit: { name, points, seconds }, key });
    return {
      place,
      take: (key: string) => takeOne(counters, place(key)),
      giveBack: (key: string) => counters.release([place(key)]),
    };
  };
  const outcomes = async (attempts: Promise<unknown>[]) =>
    (await Promise.allSettled(attempts)).map(({ status }) => status === 'fulfilled');

  it('count each parallel one', async () => {
    const c = counting('parallel');
    const counts = await Promise.all(Array.from({ length: 50 }, () => c.take('a')));
    expect(counts.map(({ taken }) => taken).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    expect((await c.take('b')).taken).toBe(1);
  });

  it('begin anew when the window is over, which begins with the first', async () => {
    const c = counting('window', 3, 1);
    const { msLeft } = await c.take('a');
    expect(msLeft).toBe(1000);
    now += 600;
    expect((await c.take('a')).taken).toBe(2);
    now += 400;
    expect((await c.take('a')).taken).toBe(1);
  });

  it('allow no more after a give-back that comes when its window is over', async () => {
    const c = counting('late', 3, 1);
    await c.take('a');
    now += 1000;
    await Promise.all([c.giveBack('a'), c.giveBack('a'), c.giveBack('a')]);
    expect((await c.take('a')).taken).toBe(1);
  });

  it('let as many through at once as the limit says, and count none that was refused', async () => {
    const outer = counting('outer', 100);
    const places = [outer.place('x'), counting('inner').place('x')];
    const passed = await outcomes(
      Array.from({ length: 100 }, () => RateLimitReservation.make(counters, places)),
    );
    expect(passed.filter(Boolean)).toHaveLength(3);
    expect((await outer.take('x')).taken).toBe(4);
    await expect(RateLimitReservation.make(counters, places)).rejects.toMatchObject({
      name: 'RateLimitedError',
      limit: { name: 'inner', points: 3, seconds: 60 },
      retryAfter: expect.any(Number),
    });
  });

  it('give back what a success took, and forget what it resets', async () => {
    const [kept, reset] = [counting('kept'), counting('reset')];
    await Promise.all([kept.take('x'), reset.take('x'), reset.take('x')]);
    const attempt = await RateLimitReservation.make(counters, [
      kept.place('x'),
      { ...reset.place('x'), resets: true },
    ]);
    expect(attempt.usedUp()).toEqual(['reset']);
    await attempt.succeeded();
    expect((await kept.take('x')).taken).toBe(2);
    expect((await reset.take('x')).taken).toBe(1);
  });

  it('are given back by an attempt that did not take place', async () => {
    const [first, second] = [counting('first'), counting('second')];
    const attempt = await RateLimitReservation.make(counters, [
      first.place('x'),
      { ...second.place('x'), resets: true },
    ]);
    await attempt.giveBack();
    expect([(await first.take('x')).taken, (await second.take('x')).taken]).toEqual([1, 1]);
  });

  if (engine === 'postgres') {
    const purge = async () => {
      const purger = new Purger(db, new SystemClock());
      new RateLimitPurge(db, purger).onModuleInit();
      return purger.run();
    };

    it('have short keys without client input', async () => {
      await counting('secret').take(`laika\u0000'; drop table "rate_limits" --${'x'.repeat(100_000)}`);
      const keys = (await db.selectFrom('rate_limits').select('key').execute()).map(({ key }) => key);
      expect(keys.filter((key) => !/^[a-z-]+:[\w-]{43}$/.test(key))).toEqual([]);
    });

    it('whose window is over are removed, and no others', async () => {
      await db.deleteFrom('rate_limits').execute();
      await counting('over').take('a');
      await db
        .updateTable('rate_limits')
        .set({ expire: Date.now() - PURGE_MARGIN_MS - 1 })
        .execute();
      await counting('lasting').take('a');
      expect(await purge()).toBe(1);
      const left = await db.selectFrom('rate_limits').select('key').execute();
      expect(left.map(({ key }) => key.split(':')[0])).toEqual(['lasting']);
    });

    it('that reach zero are deleted: a refused attempt leaves no row', async () => {
      await db.deleteFrom('rate_limits').execute();
      const inner = counting('inner').place('x');
      const attempts = Array.from({ length: 40 }, (_, i) =>
        RateLimitReservation.make(counters, [counting('outer').place(`address ${i}`), inner]),
      );
      expect((await outcomes(attempts)).filter(Boolean)).toHaveLength(3);
      const rows = await db.selectFrom('rate_limits').select(['key', 'points']).execute();
      expect(rows.map(({ key, points }) => `${key.split(':')[0]} ${points}`).toSorted()).toEqual([
        'inner 3',
        'outer 1',
        'outer 1',
        'outer 1',
      ]);
    });

    it('do not fall below zero when a give-back comes between another one and its deletion', async () => {
      const c = counting('negative');
      await c.take('a');
      await db.updateTable('rate_limits').set({ points: 0 }).where('key', 'like', 'negative:%').execute();
      await c.giveBack('a');
      expect((await c.take('a')).taken).toBe(1);
    });

    it('are exact, however many take and give back at once', async () => {
      const c = counting('contended', 1000);
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          await c.take('a');
          if (i % 2 === 0) await c.giveBack('a');
        }),
      );
      expect((await c.take('a')).taken).toBe(31);
    });

    it('take shared keys in every order without a deadlock', async () => {
      await db.deleteFrom('rate_limits').execute();
      const [outer, inner, last] = [counting('z', 1000), counting('m', 1000), counting('a', 1000)];
      const attempt = async (i: number) => {
        const places = [outer.place(`${i % 2}`), inner.place(`${i % 3}`), last.place(`${i % 5}`)];
        const made = await RateLimitReservation.make(
          counters,
          places.map((place, at) => ({ ...place, resets: at === 1 })),
        );
        await (i % 7 === 0 ? made.succeeded() : made.giveBack());
      };
      const many = Array.from({ length: 10 }, async (_, client) => {
        for (let i = 0; i < 40; i++) await attempt(client * 40 + i);
      });
      const purges = (async () => {
        for (let i = 0; i < 20; i++) {
          await db
            .insertInto('rate_limits')
            .values({ key: `over:${i}`, points: 1, expire: 1 })
            .execute();
          await purge();
        }
      })();
      await Promise.all([...many, purges]);
      await purge();
      // A deadlock would have failed one of them.
      expect(await db.selectFrom('rate_limits').select('key').execute()).toEqual([]);
    });

    it('of several instances are the same', async () => {
      const other = openDatabase(test.url);
      try {
        await counting('shared').take('a');
        const place = counting('shared').place('a');
        expect((await takeOne(new PostgresCounters(other, () => now), place)).taken).toBe(2);
      } finally {
        await other.destroy();
      }
    });
  }
});

describe('a store that cannot be reached', () => {
  it('refuses, as the database does', async () => {
    const db = openDatabase('postgres://nobody@127.0.0.1:9/none');
    try {
      const place = { limit: { name: 'gone', points: 3, seconds: 60 }, key: 'x' };
      await expect(RateLimitReservation.make(new PostgresCounters(db), [place])).rejects.toBeInstanceOf(
        DatabaseUnavailableError,
      );
    } finally {
      await db.destroy();
    }
  });
});
