import { describe, expect, it } from '@jest/globals';
import { EndedSessions, TOMBSTONE_LEEWAY } from './ended-sessions.js';

const NOW = 1_800_000_000_000;

describe('EndedSessions', () => {
  it('knows what was added, and nothing else', () => {
    const ended = new EndedSessions();
    ended.add([{ id: 'a', access_until: NOW }]);
    expect([ended.has('a'), ended.has('b')]).toEqual([true, false]);
  });

  it('remembers a session as long as a token of it may live, and a leeway more', () => {
    const ended = new EndedSessions();
    ended.add([{ id: 'a', access_until: NOW }]);
    ended.prune(NOW + TOMBSTONE_LEEWAY);
    expect(ended.has('a')).toBe(true);
    ended.prune(NOW + TOMBSTONE_LEEWAY + 1);
    expect([ended.has('a'), ended.size]).toEqual([false, 0]);
  });

  it('keeps the later of two expiries, whichever comes first', () => {
    for (const order of [
      [NOW, NOW + 5],
      [NOW + 5, NOW],
    ]) {
      const ended = new EndedSessions();
      for (const access_until of order) ended.add([{ id: 'a', access_until }]);
      ended.prune(NOW + TOMBSTONE_LEEWAY + 5);
      expect(ended.has('a')).toBe(true);
    }
  });
});
