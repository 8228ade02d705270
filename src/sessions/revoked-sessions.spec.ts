import { describe, expect, it } from '@jest/globals';
import { RevokedSessions } from './revoked-sessions.js';

const NOW = 1_800_000_000_000;

describe('RevokedSessions', () => {
  it('knows what was added, and nothing else', () => {
    const ended = new RevokedSessions();
    ended.add([{ id: 'a', access_until: NOW }]);
    expect([ended.has('a'), ended.has('b')]).toEqual([true, false]);
  });

  it('remembers a session as long as a token of it lived at the cutoff', () => {
    const ended = new RevokedSessions();
    ended.add([{ id: 'a', access_until: NOW }]);
    ended.forget(NOW);
    expect(ended.has('a')).toBe(true);
    ended.forget(NOW + 1);
    expect([ended.has('a'), ended.size]).toEqual([false, 0]);
  });

  it('keeps the later of two expiries, whichever comes first', () => {
    for (const order of [
      [NOW, NOW + 5],
      [NOW + 5, NOW],
    ]) {
      const ended = new RevokedSessions();
      for (const access_until of order) ended.add([{ id: 'a', access_until }]);
      ended.forget(NOW + 5);
      expect(ended.has('a')).toBe(true);
    }
  });
});
