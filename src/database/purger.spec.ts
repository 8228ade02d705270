import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { sql } from 'kysely';
import { TestClock } from '../testing/test-clock.js';
import { type Database, MAX_CLOCK_SKEW_MS } from './database.js';
import { openDatabase } from './open-database.js';
import { PURGE_MARGIN_MS, Purger } from './purger.js';

declare module './index.js' {
  interface Tables {
    crumbs: { id: number; bowl: string; at: number };
  }
}

describe('Purger', () => {
  let db: Database;
  let clock: TestClock;
  let purger: Purger;
  beforeEach(async () => {
    db = openDatabase(':memory:');
    clock = new TestClock();
    purger = new Purger(db, clock);
    await sql`create table crumbs (id integer primary key, bowl text, at bigint)`.execute(db);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await db.destroy();
  });

  const fill = async (bowl: string, rows: number, at: number) => {
    await sql`
      insert into crumbs (bowl, at)
      with recursive n(i) as (select 1 where ${rows} > 0 union all select i + 1 from n where i < ${rows})
      select ${bowl}, ${at} from n`.execute(db);
  };
  const left = async () =>
    Number(
      (
        await db
          .selectFrom('crumbs')
          .select(sql`count(*)`.as('n'))
          .executeTakeFirstOrThrow()
      ).n,
    );
  /** Adds a task for one bowl. @returns the cutoffs that it is given */
  const addTask = (bowl: string, forget?: (cutoff: number) => void) => {
    const cutoffs: number[] = [];
    purger.add({
      what: bowl,
      table: 'crumbs',
      key: 'id',
      selectDead: (tx, cutoff) => {
        cutoffs.push(cutoff);
        return tx.selectFrom('crumbs').select('id').where('bowl', '=', bowl).where('at', '<', cutoff);
      },
      ...(forget && { forget }),
    });
    return cutoffs;
  };
  const skewedBy = (skew: number) => jest.spyOn(db, 'clockSkew').mockResolvedValue(skew);

  it('removes in batches until none are left, and counts what it removed', async () => {
    const [many, none] = [addTask('many'), addTask('none')];
    const cutoff = clock.now() - PURGE_MARGIN_MS;
    await fill('many', 1_100, cutoff - 1);
    await fill('many', 3, cutoff);
    expect(await purger.run()).toBe(1_100);
    expect(await left()).toBe(3);
    expect([many.length, none.length]).toEqual([12, 1]);
    expect(await purger.run()).toBe(0);
    expect(Object.fromEntries(purger.removed)).toEqual({ many: 1_100, none: 0 });
  });

  it.each([-MAX_CLOCK_SKEW_MS, -1, 0, 1, MAX_CLOCK_SKEW_MS])(
    'goes by the earlier clock where they differ by %d ms, less a day',
    async (skew) => {
      skewedBy(skew);
      const cutoffs = addTask('rows');
      await purger.run();
      expect(cutoffs).toEqual([clock.now() - Math.max(0, skew) - PURGE_MARGIN_MS]);
    },
  );

  it.each([MAX_CLOCK_SKEW_MS + 1, -MAX_CLOCK_SKEW_MS - 1, 15 * PURGE_MARGIN_MS])(
    'removes and forgets nothing where the clocks differ by %d ms',
    async (skew) => {
      skewedBy(skew);
      const forget = jest.fn();
      const cutoffs = addTask('rows', forget);
      expect(await purger.run()).toBe(0);
      expect(cutoffs).toEqual([]);
      expect(forget).not.toHaveBeenCalled();
    },
  );

  it('forgets what is in memory also where another instance is removing the rows', async () => {
    jest.spyOn(db, 'withAdvisoryLock').mockResolvedValue(undefined);
    const forget = jest.fn();
    const cutoffs = addTask('rows', forget);
    expect(await purger.run()).toBe(0);
    expect(cutoffs).toEqual([]);
    expect(forget).toHaveBeenCalledWith(clock.now() - PURGE_MARGIN_MS);
  });

  it('runs once a minute until the end, survives a failure, and waits for the last run', async () => {
    const [set, clear] = [jest.spyOn(globalThis, 'setInterval'), jest.spyOn(globalThis, 'clearInterval')];
    const runs: string[] = [];
    addTask('rows');
    jest.spyOn(db, 'withAdvisoryLock').mockImplementation(async () => {
      runs.push('begun');
      await new Promise(setImmediate);
      runs.push('failed');
      throw new Error('the disk is full');
    });
    purger.onApplicationBootstrap();
    expect(set.mock.calls.map(([, period]) => period)).toEqual([60_000]);
    const [tick] = set.mock.calls[0] ?? [];
    tick?.();
    tick?.();
    while (runs.length === 0) await new Promise(setImmediate);
    await purger.onApplicationShutdown();
    expect(runs).toEqual(['begun', 'failed']);
    expect(clear).toHaveBeenCalledWith(set.mock.results[0]?.value as NodeJS.Timeout);
  });
});
