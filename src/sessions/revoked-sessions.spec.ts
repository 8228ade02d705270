import { describe, expect, it } from '@jest/globals';
import { RevokedSessions, REVOCATION_LEEWAY_MS } from './revoked-sessions.js';

const NOW = 1_800_000_000_000;

describe('EndedSessions', () => {
  it('knows what was added, and nothing else', () => {
    const ended = new RevokedSessions();
    ended.add([{ id: 'a', access_until: NOW }]);
    expect([ended.has('a'), ended.has('b')]).toEqual([true, false]);
  });

  it('has another revision whenever a session has ended, and the same when one is forgotten', () => {
    const ended = new RevokedSessions();
    const revisions = [ended.revision];
    ended.add([{ id: 'a', access_until: NOW }]);
    revisions.push(ended.revision);
    ended.add([{ id: 'b', access_until: NOW + 1 }]);
    revisions.push(ended.revision);
    expect(new Set(revisions).size).toBe(3);
    ended.prune(NOW * 2);
    expect([ended.size, ended.revision]).toEqual([0, revisions.at(-1)]);
  });

  it('remembers a session as long as a token of it may live, and a leeway more', () => {
    const ended = new RevokedSessions();
    ended.add([{ id: 'a', access_until: NOW }]);
    ended.prune(NOW + REVOCATION_LEEWAY_MS);
    expect(ended.has('a')).toBe(true);
    ended.prune(NOW + REVOCATION_LEEWAY_MS + 1);
    expect([ended.has('a'), ended.size]).toEqual([false, 0]);
  });

  it('keeps the later of two expiries, whichever comes first', () => {
    for (const order of [
      [NOW, NOW + 5],
      [NOW + 5, NOW],
    ]) {
      const ended = new RevokedSessions();
      for (const access_until of order) ended.add([{ id: 'a', access_until }]);
      ended.prune(NOW + REVOCATION_LEEWAY_MS + 5);
      expect(ended.has('a')).toBe(true);
    }
  });
});
