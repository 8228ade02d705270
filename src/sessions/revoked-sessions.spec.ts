import { describe, expect, it } from '@jest/globals';
import { RevokedSessions } from './revoked-sessions.js';

const NOW = 1_800_000_000_000;
const revocation = (id: string, access_until = NOW) => ({
  id,
  access_until,
  revoke_cause: 'logout' as const,
});

describe('RevokedSessions', () => {
  it('knows what was added, and nothing else', () => {
    const ended = new RevokedSessions();
    ended.add([revocation('a')]);
    expect([ended.has('a'), ended.has('b')]).toEqual([true, false]);
  });

  it('remembers a session as long as a token of it lived at the cutoff', () => {
    const ended = new RevokedSessions();
    ended.add([revocation('a')]);
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
      for (const access_until of order) ended.add([revocation('a', access_until)]);
      ended.forget(NOW + 5);
      expect(ended.has('a')).toBe(true);
    }
  });

  it('finds what a database that lags behind no longer knows', () => {
    const ended = new RevokedSessions();
    ended.add([revocation('a'), revocation('b')]);
    expect(ended.missingFrom(new Set(['a', 'c']))).toEqual([revocation('b')]);
  });
});
