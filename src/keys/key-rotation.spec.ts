import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { refusal } from '../../test/support/key-ring-refusal.js';
import { generateKey } from './key-file.js';
import { KeyRing, KeyRingError, type PrivateJwk, type PrivateJwkSet, readKeySet } from './key-ring.js';
import {
  LEAD_SECONDS,
  LEEWAY_SECONDS,
  removeNow,
  retire,
  rotate,
  stateOf,
  withoutEnded,
} from './key-rotation.js';

/** Milliseconds; the others seconds. */
const NOW = 1_800_000_000_000;
const T = NOW / 1000;
const TTL = { access: 900_000, refresh: 86_400_000 };

/** Symmetric, because they are made at once; what differs are their times. */
const access = (times: Partial<PrivateJwk> = {}) => ({ ...generateKey('access', 'HS256'), ...times });
const A = access();
const R = generateKey('refresh', 'HS256');
const SET: PrivateJwkSet = { keys: [A, R] };

describe('rotate', () => {
  it('adds a key that others know before it signs, of the algorithm of the newest', () => {
    const { set, result } = rotate(SET, 'access', NOW);
    expect(set.keys).toEqual([A, R, result]);
    expect(result).toMatchObject({ alg: 'HS256', token_use: 'access', signs_from: T + 360 });
    expect(rotate(set, 'access', NOW + 360_000, 'ES384').result.alg).toBe('ES384');
  });

  it('refuses while the last one waits', () => {
    const { set, result } = rotate(SET, 'access', NOW);
    const waits = `key "${result.kid}" is waiting, and signs access tokens from 2027-01-15T08:06:00Z on; try again after that`;
    expect(refusal(() => rotate(set, 'access', NOW + 359_999))).toBe(waits);
    expect(refusal(() => rotate(set, 'access', NOW + 360_000))).toBe('accepted');
    expect(refusal(() => rotate(set, 'refresh', NOW))).toBe('accepted');
  });

  it('leaves no moment without a key: it signs at once where none does, and before the only one ends', () => {
    const ended = { keys: [access({ verifies_until: T }), R] };
    expect(rotate(ended, 'access', NOW).result.signs_from).toBe(T);
    const ending = { keys: [access({ verifies_until: T + 10 }), R] };
    expect(rotate(ending, 'access', NOW).result.signs_from).toBe(T + 10);
  });
});

describe('retire', () => {
  it('lets a key end when its last token is dead, and a minute later', () => {
    const { set } = rotate(SET, 'access', NOW);
    const { set: retired, result } = retire(set, TTL, NOW);
    expect(result).toEqual([{ ...A, verifies_until: T + LEAD_SECONDS + 900 + LEEWAY_SECONDS }]);
    expect(retired.keys.slice(1)).toEqual(set.keys.slice(1));
  });

  it('counts from now where the successor signs already', () => {
    const { set } = rotate(SET, 'refresh', NOW);
    const later = NOW + 3_600_500;
    expect(retire(set, TTL, later, R.kid).result[0]?.verifies_until).toBe(T + 3601 + 86_400 + LEEWAY_SECONDS);
  });

  it('takes the first of equally new keys for the one that signs, as the ring does', () => {
    const second = access();
    const { set, result } = retire({ keys: [A, second, R] }, TTL, NOW);
    expect(result.map(({ kid }) => kid)).toEqual([second.kid]);
    expect(new KeyRing(set, NOW).signingKey('access', NOW).kid).toBe(A.kid);
  });

  it.each([
    ['one without successor', SET, A.kid, /has no successor: rotate first/],
    [
      'one whose only successor ends before it',
      { keys: [A, R, access({ signs_from: T + 9, verifies_until: T + 9 })] },
      A.kid,
      /has no successor/,
    ],
    [
      'one whose only successor has ended',
      { keys: [A, R, access({ signs_from: T - 9, verifies_until: T - 1 })] },
      A.kid,
      /has no successor/,
    ],
    [
      'one that is retired',
      { keys: [{ ...A, verifies_until: T + 5 }, access({ signs_from: 1 }), R] },
      A.kid,
      /is retired already, and verifies until 2027-01-15T08:00:05Z/,
    ],
    ['one that is unknown', SET, 'x', /no key has the "kid" "x"/],
  ])('refuses %s', (_, set, kid, message) => {
    expect(refusal(() => retire(set, TTL, NOW, kid))).toMatch(message);
  });

  it('does nothing where nothing is superseded, and nothing twice', () => {
    expect(retire(SET, TTL, NOW).result).toEqual([]);
    const once = retire(rotate(SET, 'access', NOW).set, TTL, NOW).set;
    expect(retire(once, TTL, NOW + 1000).set).toEqual(once);
  });
});

describe('removeNow', () => {
  it('lets the successor sign at once', () => {
    const { set, result: next } = rotate(SET, 'access', NOW);
    const { set: rest, result } = removeNow(set, NOW + 1500, A.kid);
    expect(rest.keys).toEqual([R, { ...next, signs_from: T + 1 }]);
    expect(result).toMatchObject({ signed: true, successor: next.kid, made: false });
  });

  it('makes a successor if there is none, and lets no older key sign again', () => {
    const old = access();
    const { set, result } = removeNow(
      { keys: [old, R, access({ kid: 'stolen', signs_from: 5 })] },
      NOW,
      'stolen',
    );
    expect(result.made).toBe(true);
    expect(new KeyRing(set, NOW).signingKey('access', NOW).kid).toBe(result.successor);
    expect(result.successor).not.toBe(old.kid);
  });

  it('only removes one that does not sign', () => {
    const { set, result: next } = rotate(SET, 'access', NOW);
    expect(removeNow(set, NOW, next.kid)).toEqual({
      set: SET,
      result: { kid: next.kid, kind: 'access', signed: false, successor: null, made: false },
    });
  });
});

describe('any sequence of commands', () => {
  const command = fc.record({
    name: fc.constantFrom('rotate', 'retire', 'remove', 'purge'),
    kind: fc.constantFrom('access' as const, 'refresh' as const),
    wait: fc.integer({ min: 0, max: 100_000_000 }),
    which: fc.nat(),
  });

  /** The first key was to end soon after the second would have signed, and signs on without it. */
  const WAITING_SUCCESSOR_REMOVED = [
    { name: 'rotate' as const, kind: 'access' as const, wait: 0, which: 0 },
    { name: 'retire' as const, kind: 'access' as const, wait: 0, which: 0 },
    { name: 'remove' as const, kind: 'access' as const, wait: 0, which: 2 },
    { name: 'rotate' as const, kind: 'access' as const, wait: 420_000, which: 0 },
  ];

  it('leaves a key of each kind that signs, and ends none while a token of it lives', () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 15 }), (commands) => {
        let now = NOW;
        let set: PrivateJwkSet = { note: 'kept', keys: [{ ...A, note: 'kept' }, R] } as PrivateJwkSet;
        const lastSigned = new Map<string, number>();
        const removed = new Set<string>();
        const observe = (at: number) => {
          for (const kind of ['access', 'refresh'] as const) {
            lastSigned.set(new KeyRing(set, at).signingKey(kind, at).kid, at + TTL[kind]);
          }
        };
        for (const { name, kind, wait, which } of commands) {
          observe(now);
          // Without further commands, every key whose time comes signs.
          const starts = readKeySet(set).map(({ signsFrom }) => signsFrom);
          for (const at of starts
            .filter((start) => start > now && start <= now + wait)
            .toSorted((a, b) => a - b)) {
            observe(at - 1);
            observe(at);
          }
          now += wait;
          observe(now);
          const kid = set.keys[which % set.keys.length]!.kid;
          try {
            if (name === 'rotate') set = rotate(set, kind, now).set;
            if (name === 'retire') set = retire(set, TTL, now).set;
            if (name === 'purge') set = withoutEnded(set, now).set;
            if (name === 'remove') {
              set = removeNow(set, now, kid).set;
              removed.add(kid);
            }
          } catch (error) {
            if (!(error instanceof KeyRingError)) throw error;
          }
          observe(now);
          for (const [signer, until] of lastSigned) {
            if (removed.has(signer) || until <= now) continue;
            expect(new KeyRing(set, now).find(signer, until)?.kid).toBe(signer);
          }
        }
        expect(set).toMatchObject({ note: 'kept' });
      }),
      { numRuns: 300, examples: [[WAITING_SUCCESSOR_REMOVED]] },
    );
  });
});

describe('stateOf', () => {
  it('says what each key does', () => {
    const set = {
      keys: [
        access({ kid: 'gone', verifies_until: T }),
        access({ kid: 'old', verifies_until: T + 60 }),
        access({ kid: 'older' }),
        access({ kid: 'now', signs_from: T - 1 }),
        access({ kid: 'next', signs_from: T + 60 }),
        { ...R, verifies_until: T + 60 },
      ],
    };
    const keys = readKeySet(set);
    expect(keys.map((key) => stateOf(keys, key, NOW))).toEqual([
      'ended 2027-01-15T08:00:00Z',
      'verifies until 2027-01-15T08:01:00Z',
      'verifies',
      'signs',
      'signs from 2027-01-15T08:01:00Z',
      'signs, verifies until 2027-01-15T08:01:00Z',
    ]);
  });
});
