import { beforeEach, describe, expect, it } from '@jest/globals';
import { TestClock } from '../testing/test-clock.js';
import { generateKeySet } from '../keys/key-file.js';
import { KeyRing, type PrivateJwkSet } from '../keys/key-ring.js';
import { type VerifiedToken } from './token-verifier.js';
import { VerifiedTokens } from './verified-tokens.js';

describe('verified tokens', () => {
  let clock: TestClock;
  let set: PrivateJwkSet;
  let keys: KeyRing;
  let known: VerifiedTokens;
  let verified: VerifiedToken;
  beforeEach(() => {
    clock = new TestClock();
    set = generateKeySet();
    keys = new KeyRing(set, clock.now());
    known = new VerifiedTokens(keys, clock);
    const key = keys.signingKey('access', clock.now()) as VerifiedToken['key'];
    verified = { key, claims: {} as VerifiedToken['claims'] };
  });

  it('are found by the whole token alone', () => {
    known.add('a.b.c', verified);
    expect(known.find('a.b.c')).toBe(verified);
    for (const other of ['a.b.d', 'a.b.', 'a.b', 'A.b.c', ' a.b.c', 'a.b.c ', '']) {
      expect(known.find(other)).toBeUndefined();
    }
  });

  it('are not found by another token that ends as they do', () => {
    const end = 'e'.repeat(86);
    known.add(`header.claims.${end}`, verified);
    expect(known.find(`header.others.${end}`)).toBeUndefined();
    expect(known.find(end)).toBeUndefined();
    expect(known.find(`header.claims.${end}`)).toBe(verified);
    const another = { ...verified };
    known.add(`header.others.${end}`, another);
    expect(known.find(`header.others.${end}`)).toBe(another);
    expect(known.find(`header.claims.${end}`)).toBe(verified);
  });

  it.each<[string, (jwks: PrivateJwkSet) => PrivateJwkSet]>([
    ['is gone', () => generateKeySet()],
    [
      'has given its name to another',
      ({ keys: [access, refresh] }) => {
        const [other] = generateKeySet().keys;
        return { keys: [{ ...other!, kid: access!.kid }, refresh!] };
      },
    ],
  ])('are forgotten when their key %s', (_, change) => {
    known.add('a.b.c', verified);
    keys.replace(change(set), clock.now());
    expect(known.find('a.b.c')).toBeUndefined();
    expect(known.size).toBe(0);
  });

  it('are forgotten when their key ends, to the millisecond', () => {
    const end = Math.floor(clock.now() / 1000) + 60;
    const [access, refresh] = set.keys;
    const successor = generateKeySet().keys[0]!;
    keys.replace({ keys: [{ ...access!, verifies_until: end }, successor, refresh!] }, clock.now());
    known.add('a.b.c', { ...verified, key: keys.find(access!.kid, clock.now()) as VerifiedToken['key'] });
    clock.advance(end * 1000 - clock.now() - 1);
    expect(known.find('a.b.c')).toBeDefined();
    clock.advance(1);
    expect(known.find('a.b.c')).toBeUndefined();
  });

  it('are at most 10,000: the most recently used ones stay', () => {
    known.add('first', verified);
    known.add('second', verified);
    for (let i = 2; i < 10_000; i++) known.add(`token ${i}`, verified);
    known.find('first');
    known.add('one more', verified);
    expect(known.size).toBe(10_000);
    expect(known.find('first')).toBeDefined();
    expect(known.find('second')).toBeUndefined();
  });

  it('take at most 8 MiB, however long each is', () => {
    const long = 'x'.repeat(8000);
    for (let i = 0; i < 2000; i++) known.add(long + i, verified);
    expect(known.size).toBeGreaterThan(1000);
    expect(known.size).toBeLessThanOrEqual((8 * 1024 * 1024) / 8000);
  });
});
