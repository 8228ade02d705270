import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestDatabase, describeEachEngine, type TestDatabase } from '../../../test/support/engines.js';
import {
  Database,
  DatabaseUnavailableError,
  MigrationSet,
  openDatabase,
  Statement,
} from '../../database/index.js';
import { countOne, type CountValues } from './count-one.js';
import { Counters } from './counters.js';
import { RateLimitPurge } from './rate-limit-purge.js';
import { rateLimitsMigrations } from './rate-limits.table.js';
import { Reservation } from './reservation.js';

describeEachEngine('counters', (engine) => {
  let test: TestDatabase;
  let db: Database;
  beforeAll(async () => {
    test = await createTestDatabase(engine);
    db = openDatabase(test.url);
    const migrations = new MigrationSet(db);
    migrations.add(rateLimitsMigrations);
    await migrations.run();
  });
  afterAll(async () => {
    await db.destroy();
    await test.drop();
  });

  const counters = (name: string, points = 3, seconds = 60) => new Counters(name, { points, seconds }, db);
  const outcomes = async (attempts: Promise<unknown>[]) =>
    (await Promise.allSettled(attempts)).map(({ status }) => status === 'fulfilled');

  it('count each parallel one', async () => {
    const c = counters('parallel');
    const counts = await Promise.all(Array.from({ length: 50 }, () => c.take('a')));
    expect(counts.map(({ taken }) => taken).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 50 }, (_, i) => i + 1),
    );
    expect((await c.take('b')).taken).toBe(1);
  });

  it('begin anew when the window is over, which begins with the first', async () => {
    const c = counters('window', 3, 1);
    const { msLeft } = await c.take('a');
    expect(msLeft).toBeGreaterThan(500);
    expect(msLeft).toBeLessThanOrEqual(1000);
    await delay(600);
    expect((await c.take('a')).taken).toBe(2);
    await delay(500);
    expect((await c.take('a')).taken).toBe(1);
  });

  if (engine === 'postgres') {
    it('are the same to a statement that does more besides, window by window', async () => {
      const c = counters('shared', 3, 1);
      const counting = new Statement<CountValues, { points: number; expire: number }>(countOne);
      const count = async () => {
        const [counted] = await counting.execute(db, c.valuesOf('a'));
        return { taken: counted!.points, msLeft: counted!.expire - Date.now() };
      };
      const first = await count();
      expect(first.taken).toBe(1);
      expect(first.msLeft).toBeGreaterThan(500);
      expect(first.msLeft).toBeLessThanOrEqual(1000);
      await delay(600);
      expect((await c.take('a')).taken).toBe(2);
      const third = await count();
      expect(third.taken).toBe(3);
      expect(third.msLeft).toBeLessThanOrEqual(400);
      await c.giveBack('a');
      await delay(500);
      expect((await c.take('a')).taken).toBe(1);
      expect((await count()).taken).toBe(2);
      await delay(1100);
      expect((await count()).taken).toBe(1);
    });
  }

  it('allow no more after a give-back that comes when its window is over', async () => {
    const c = counters('late', 3, 1);
    await c.take('a');
    await delay(1100);
    await Promise.all([c.giveBack('a'), c.giveBack('a'), c.giveBack('a')]);
    expect((await c.take('a')).taken).toBe(1);
  });

  it('let as many through at once as the limit says, and count none that was refused', async () => {
    const outer = counters('outer', 100);
    const places = [
      { counters: outer, key: 'x' },
      { counters: counters('inner'), key: 'x' },
    ];
    const passed = await outcomes(Array.from({ length: 100 }, () => Reservation.make(places)));
    expect(passed.filter(Boolean)).toHaveLength(3);
    expect((await outer.take('x')).taken).toBe(4);
    await expect(Reservation.make(places)).rejects.toMatchObject({
      status: 429,
      errorCode: 'rate_limited',
      retryAfter: expect.any(Number),
      headers: {
        RateLimit: expect.stringMatching(/^"inner";r=0;t=\d+$/),
        'RateLimit-Policy': '"inner";q=3;w=60',
      },
    });
  });

  it('give back what a success took, and forget what it resets', async () => {
    const [kept, reset] = [counters('kept'), counters('reset')];
    await Promise.all([kept.take('x'), reset.take('x'), reset.take('x')]);
    const attempt = await Reservation.make([
      { counters: kept, key: 'x' },
      { counters: reset, key: 'x', resets: true },
    ]);
    expect(attempt.usedUp()).toEqual(['reset']);
    await attempt.succeeded();
    expect((await kept.take('x')).taken).toBe(2);
    expect((await reset.take('x')).taken).toBe(1);
  });

  it('are given back by an attempt that did not take place', async () => {
    const [first, second] = [counters('first'), counters('second')];
    const attempt = await Reservation.make([
      { counters: first, key: 'x' },
      { counters: second, key: 'x', resets: true },
    ]);
    await attempt.giveBack();
    expect([(await first.take('x')).taken, (await second.take('x')).taken]).toEqual([1, 1]);
  });

  it(`are ${engine === 'postgres' ? 'purged each minute until the end' : 'not purged by a timer'}`, async () => {
    await counters('purged', 3, 1).take('a');
    const [set, clear] = [jest.spyOn(globalThis, 'setInterval'), jest.spyOn(globalThis, 'clearInterval')];
    try {
      const purge = new RateLimitPurge(db);
      purge.onApplicationBootstrap();
      const periods = set.mock.calls.map(([, period]) => period);
      expect(periods).toEqual(engine === 'postgres' ? [60_000] : []);
      if (engine !== 'postgres') return;
      await delay(1100);
      const [run] = set.mock.calls[0] ?? [];
      run?.();
      await purge.onApplicationShutdown();
      expect(clear).toHaveBeenCalledWith(set.mock.results[0]?.value as NodeJS.Timeout);
      const left = await db.selectFrom('rate_limits').select('key').execute();
      expect(left.filter(({ key }) => key.startsWith('purged'))).toEqual([]);
    } finally {
      for (const spy of [set, clear]) spy.mockRestore();
    }
  });

  if (engine === 'postgres') {
    it('keep keys short, and nothing in them that a stranger wrote', async () => {
      await counters('secret').take(`laika\u0000'; drop table "rate_limits" --${'x'.repeat(100_000)}`);
      const keys = (await db.selectFrom('rate_limits').select('key').execute()).map(({ key }) => key);
      expect(keys.filter((key) => !/^[a-z-]+:[\w-]{43}$/.test(key))).toEqual([]);
    });

    it('#100 whose window is over are removed, and no others', async () => {
      await db.deleteFrom('rate_limits').execute();
      await counters('over', 3, 1).take('a');
      await counters('lasting').take('a');
      await delay(1100);
      expect(await new RateLimitPurge(db).run()).toBe(1);
      const left = await db.selectFrom('rate_limits').select('key').execute();
      expect(left.map(({ key }) => key.split(':')[0])).toEqual(['lasting']);
    });

    it('of which nothing counts any more are no rows: who is refused leaves nothing behind', async () => {
      await db.deleteFrom('rate_limits').execute();
      const inner = { counters: counters('inner'), key: 'x' };
      const attempts = Array.from({ length: 40 }, (_, i) =>
        Reservation.make([{ counters: counters('outer'), key: `address ${i}` }, inner]),
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

    it('are exact, however many take and give back at once', async () => {
      const c = counters('contended', 1000);
      await Promise.all(
        Array.from({ length: 60 }, async (_, i) => {
          await c.take('a');
          if (i % 2 === 0) await c.giveBack('a');
        }),
      );
      expect((await c.take('a')).taken).toBe(31);
    });

    it('of several instances are the same', async () => {
      const other = openDatabase(test.url);
      try {
        await counters('shared').take('a');
        expect((await new Counters('shared', { points: 3, seconds: 60 }, other).take('a')).taken).toBe(2);
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
      const place = { counters: new Counters('gone', { points: 3, seconds: 60 }, db), key: 'x' };
      await expect(Reservation.make([place])).rejects.toBeInstanceOf(DatabaseUnavailableError);
    } finally {
      await db.destroy();
    }
  });
});
