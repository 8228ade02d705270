import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryCounters } from './memory-counters.js';

describe('counters in memory', () => {
  const limit = { name: 'limit', points: 100, seconds: 60 };
  let now: number;
  let counters: MemoryCounters;
  beforeEach(() => {
    now = 5_000;
    counters = new MemoryCounters(3, () => now);
  });

  const take = async (key: string) => (await counters.take([{ limit, key }]))[0];
  const taken = async (key: string) => (await take(key))?.taken;
  const giveBack = async (key: string) => counters.release([{ limit, key }]);
  const forget = async (key: string) => {
    const places = [{ limit, key }];
    await counters.release(places, places);
  };

  it('begin with the first, and end to the millisecond', async () => {
    expect(await take('a')).toEqual({ taken: 1, msLeft: 60_000 });
    now += 59_999;
    expect(await take('a')).toEqual({ taken: 2, msLeft: 1 });
    now += 1;
    expect(await take('a')).toEqual({ taken: 1, msLeft: 60_000 });
  });

  it('give back one attempt, and none of a window that is over', async () => {
    await take('a');
    await take('a');
    await giveBack('a');
    expect(await taken('a')).toBe(2);
    now += 60_000;
    await giveBack('a');
    expect(await taken('a')).toBe(1);
    await giveBack('b');
    expect(await taken('b')).toBe(1);
  });

  it('keep no window without attempts: given back, reset, or over', async () => {
    await take('a');
    await giveBack('a');
    expect(counters.size).toBe(0);
    await take('a');
    await take('a');
    await forget('a');
    expect(counters.size).toBe(0);
    await take('a');
    await take('b');
    now += 60_000;
    await take('c');
    expect(counters.size).toBe(1);
  });

  it('are bounded: a new one displaces the one that ends first', async () => {
    for (const key of ['a', 'b', 'c', 'd']) {
      await take(key);
      now += 1;
    }
    expect(counters.size).toBe(3);
    expect(await taken('c')).toBe(2);
    expect(await taken('a')).toBe(1);
    expect(await taken('b')).toBe(1);
  });

  it('displace nothing when they count on, or for another limit', async () => {
    for (const key of ['a', 'b', 'c', 'a', 'b', 'c']) await take(key);
    await counters.take([{ limit: { ...limit, name: 'other' }, key: 'a' }]);
    expect(await taken('a')).toBe(3);
    expect(counters.size).toBe(4);
  });
});
