import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryCounters } from './memory-counters.js';

describe('counters in memory', () => {
  let now: number;
  let counters: MemoryCounters;
  beforeEach(() => {
    now = 5_000;
    counters = new MemoryCounters(60, 3, () => now);
  });

  it('begin with the first, and end to the millisecond', async () => {
    expect(await counters.take('a')).toEqual({ taken: 1, msLeft: 60_000 });
    now += 59_999;
    expect(await counters.take('a')).toEqual({ taken: 2, msLeft: 1 });
    now += 1;
    expect(await counters.take('a')).toEqual({ taken: 1, msLeft: 60_000 });
  });

  it('give back one, and of what is over nothing', async () => {
    await counters.take('a');
    await counters.take('a');
    await counters.giveBack('a');
    expect((await counters.take('a')).taken).toBe(2);
    now += 60_000;
    await counters.giveBack('a');
    expect((await counters.take('a')).taken).toBe(1);
    await counters.giveBack('b');
    expect((await counters.take('b')).taken).toBe(1);
  });

  it('keep nothing of which nothing counts: given back, forgotten, or over', async () => {
    await counters.take('a');
    await counters.giveBack('a');
    expect(counters.size).toBe(0);
    await counters.take('a');
    await counters.take('a');
    await counters.forget('a');
    expect(counters.size).toBe(0);
    await counters.take('a');
    await counters.take('b');
    now += 60_000;
    await counters.take('c');
    expect(counters.size).toBe(1);
  });

  it('are no more than so many: a new one displaces that which ends first', async () => {
    for (const key of ['a', 'b', 'c', 'd']) {
      await counters.take(key);
      now += 1;
    }
    expect(counters.size).toBe(3);
    expect((await counters.take('c')).taken).toBe(2);
    expect((await counters.take('a')).taken).toBe(1);
    expect((await counters.take('b')).taken).toBe(1);
  });

  it('displace nothing by counting on', async () => {
    for (const key of ['a', 'b', 'c', 'a', 'b', 'c']) await counters.take(key);
    expect((await counters.take('a')).taken).toBe(3);
    expect(counters.size).toBe(3);
  });
});
