import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { TestClock } from '../testing/test-clock.js';
import { type Database, MAX_CLOCK_SKEW_MS } from './database.js';
import { openDatabase } from './open-database.js';
import { PURGE_MARGIN_MS, Purger } from './purger.js';

describe('Purger', () => {
  let db: Database;
  let clock: TestClock;
  let purger: Purger;
  beforeEach(() => {
    db = openDatabase(':memory:');
    clock = new TestClock();
    purger = new Purger(db, clock);
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await db.destroy();
  });

  /** A task that has so many rows to remove, and notes the cutoffs that it is given. */
  const addTask = (what: string, rows: number) => {
    const cutoffs: number[] = [];
    let left = rows;
    purger.add({
      what,
      removeBatch: (_, cutoff, limit) => {
        cutoffs.push(cutoff);
        const removed = Math.min(left, limit);
        left -= removed;
        return Promise.resolve(removed);
      },
    });
    return cutoffs;
  };
  const skewedBy = (skew: number) => jest.spyOn(db, 'clockSkew').mockResolvedValue(skew);

  it('removes in batches until none are left, and counts what it removed', async () => {
    const [many, none] = [addTask('many', 1_100), addTask('none', 0)];
    expect(await purger.run()).toBe(1_100);
    expect([many.length, none.length]).toEqual([3, 1]);
    expect(await purger.run()).toBe(0);
    expect(Object.fromEntries(purger.removed)).toEqual({ many: 1_100, none: 0 });
  });

  it.each([-MAX_CLOCK_SKEW_MS, -1, 0, 1, MAX_CLOCK_SKEW_MS])(
    'goes by the earlier clock where they differ by %d ms, less a day',
    async (skew) => {
      skewedBy(skew);
      const cutoffs = addTask('rows', 0);
      await purger.run();
      expect(cutoffs).toEqual([clock.now() - Math.max(0, skew) - PURGE_MARGIN_MS]);
    },
  );

  it.each([MAX_CLOCK_SKEW_MS + 1, -MAX_CLOCK_SKEW_MS - 1, 15 * PURGE_MARGIN_MS])(
    'removes and forgets nothing where the clocks differ by %d ms',
    async (skew) => {
      skewedBy(skew);
      const forget = jest.fn();
      purger.add({ what: 'rows', removeBatch: () => Promise.reject(new Error('asked')), forget });
      expect(await purger.run()).toBe(0);
      expect(forget).not.toHaveBeenCalled();
    },
  );

  it('forgets what is in memory also where another instance is removing the rows', async () => {
    jest.spyOn(db, 'withAdvisoryLock').mockResolvedValue(undefined);
    const forget = jest.fn();
    purger.add({ what: 'rows', removeBatch: () => Promise.reject(new Error('asked')), forget });
    expect(await purger.run()).toBe(0);
    expect(forget).toHaveBeenCalledWith(clock.now() - PURGE_MARGIN_MS);
  });

  it('runs once a minute until the end, survives a failure, and waits for the last run', async () => {
    const [set, clear] = [jest.spyOn(globalThis, 'setInterval'), jest.spyOn(globalThis, 'clearInterval')];
    const runs: string[] = [];
    purger.add({
      what: 'rows',
      removeBatch: async () => {
        runs.push('begun');
        await new Promise(setImmediate);
        runs.push('failed');
        throw new Error('the disk is full');
      },
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
