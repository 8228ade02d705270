import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type Acr, ACRS } from '../tokens/proof.js';
import { classify, type Verdict } from './rotation.js';

const GRACE = 10_000;
const TOLERANCE = 2_000;
const ROTATED_AT = 1_800_000_000_000;
const LIVE = 5;
const END = ROTATED_AT + 86_400_000;

const session = {
  generation: LIVE,
  rotated_at: ROTATED_AT,
  rotation_key_hash: null as string | null,
  raised_from: null as number | null,
  acr: 'pwd' as Acr,
  expires_at: END,
  revoked_at: null as number | null,
};

interface Case {
  behind: number;
  /** The key that made the live generation, and that of this request. */
  madeBy: string | null;
  sent: string | null;
  /** Of the live generation, in milliseconds. */
  age: number;
}

const verdictOf = ({ behind, madeBy, sent, age }: Case, grace = GRACE, row: Partial<typeof session> = {}) =>
  classify(
    { ...session, rotation_key_hash: madeBy, ...row },
    { generation: LIVE - behind, keyHash: sent, now: ROTATED_AT + age },
    grace,
  );

const BEHIND = [-2, -1, 0, 1, 2, LIVE];
const KEYS: [madeBy: string | null, sent: string | null][] = [
  [null, null],
  [null, 'a'],
  ['a', null],
  ['a', 'a'],
  ['a', 'b'],
];
const AGES = [-TOLERANCE - 1, -TOLERANCE, -1, 0, 1, GRACE, GRACE + 1, 3_600_000];

/** The documented rules, one row each. */
function promised({ behind, madeBy, sent, age }: Case): Verdict {
  const rows: [boolean, Verdict][] = [
    [behind < 0, 'rolled_back'],
    [behind === 0 && madeBy === 'a' && sent === 'a', 'key_reused'],
    [behind === 0, 'rotate'],
    [behind === 1 && madeBy === 'a' && sent === 'a', 'replay'],
    [behind === 1 && !madeBy && !sent && [-TOLERANCE, -1, 0, 1, GRACE].includes(age), 'concurrent'],
  ];
  return rows.find(([holds]) => holds)?.[1] ?? 'reuse';
}

const CASES = BEHIND.flatMap((behind) =>
  KEYS.flatMap(([madeBy, sent]) => AGES.map((age): Case => ({ behind, madeBy, sent, age }))),
);

const key = fc.option(fc.constantFrom('a', 'b', 'c'));
const anyCase = fc.record({
  behind: fc.integer({ min: -3, max: LIVE }),
  madeBy: key,
  sent: key,
  age: fc.oneof(
    fc.integer({ min: -5_000, max: 20_000 }),
    fc.integer({ min: -END, max: END - ROTATED_AT - 1 }),
  ),
});
const anyGrace = fc.integer({ min: 0, max: 60_000 });

describe('classify, by example', () => {
  it.each<[string, Case, Verdict]>([
    ['rotates a live token', { behind: 0, madeBy: null, sent: null, age: 60_000 }, 'rotate'],
    ['rotates a live token with a new key', { behind: 0, madeBy: 'a', sent: 'b', age: 60_000 }, 'rotate'],
    ['refuses the key that made the token', { behind: 0, madeBy: 'a', sent: 'a', age: 0 }, 'key_reused'],
    ['replays a lost answer, a day late', { behind: 1, madeBy: 'a', sent: 'a', age: 86_000_000 }, 'replay'],
    ['lets a second tab follow', { behind: 1, madeBy: null, sent: null, age: GRACE }, 'concurrent'],
    ['lets none follow after the grace', { behind: 1, madeBy: null, sent: null, age: GRACE + 1 }, 'reuse'],
    [
      'takes a predecessor without its key for reuse',
      { behind: 1, madeBy: 'a', sent: null, age: 0 },
      'reuse',
    ],
    [
      'takes a predecessor with another key for reuse',
      { behind: 1, madeBy: 'a', sent: 'b', age: 0 },
      'reuse',
    ],
    ['takes a key for a keyless rotation for reuse', { behind: 1, madeBy: null, sent: 'a', age: 0 }, 'reuse'],
    [
      'takes an older token for reuse, even with the key',
      { behind: 2, madeBy: 'a', sent: 'a', age: 0 },
      'reuse',
    ],
    ['sees that the database was restored', { behind: -1, madeBy: null, sent: null, age: 0 }, 'rolled_back'],
  ])('%s', (_, presented, verdict) => {
    expect(verdictOf(presented)).toBe(verdict);
  });
});

describe('classify, in every case', () => {
  it(`says what is promised in all ${CASES.length} combinations of generation, keys and age`, () => {
    const found = CASES.map((each) => ({ ...each, verdict: verdictOf(each) }));
    expect(found).toEqual(CASES.map((each) => ({ ...each, verdict: promised(each) })));
  });

  it.each<[string, Partial<typeof session>]>([
    ['was revoked', { revoked_at: ROTATED_AT }],
    ['was revoked by a clock that is ahead', { revoked_at: END + 1 }],
    ['was revoked at the epoch', { revoked_at: 0 }],
    ['ends now', { expires_at: ROTATED_AT }],
    ['ended before', { expires_at: ROTATED_AT - 1 }],
  ])('says revoked of a session that %s, whatever else is true of it', (_, row) => {
    const now = CASES.filter(({ age }) => age === 0);
    expect(now.map((each) => verdictOf(each, GRACE, row))).toEqual(now.map(() => 'revoked'));
  });

  it('gives a raised generation only to a proof of its level, presented with the same token', () => {
    const proofs = [undefined, ...ACRS.map((acr) => ({ acr }))];
    for (const each of CASES.filter(({ behind }) => behind === 1 || behind === 2))
      for (const back of [1, 2])
        for (const proof of proofs) {
          const verdict = classify(
            { ...session, rotation_key_hash: each.madeBy, raised_from: LIVE - back, acr: 'mfa' },
            { generation: LIVE - each.behind, keyHash: each.sent, now: ROTATED_AT + each.age, proof },
            GRACE,
          );
          const repeats = promised({ ...each, behind: 1 });
          const proved = proof !== undefined && proof.acr !== 'pwd';
          if (each.behind > back) expect(verdict).toBe('reuse');
          else if (proved && each.behind === back && repeats !== 'reuse') expect(verdict).toBe(repeats);
          else expect(verdict).toBe('superseded');
        }
  });

  it('answers revoked for an unknown session', () => {
    expect(classify(undefined, { generation: 0, keyHash: null, now: 0 }, GRACE)).toBe('revoked');
  });

  it.each([NaN, undefined, 4.5, '4x'])(
    'answers reuse for a generation that is no whole number: %s',
    (generation) => {
      const presented = { generation: generation as number, keyHash: null, now: ROTATED_AT };
      expect(classify(session, presented, GRACE)).toBe('reuse');
    },
  );

  it('lets a session live until the millisecond before its end', () => {
    const live = { behind: 0, madeBy: null, sent: null };
    expect(verdictOf({ ...live, age: END - ROTATED_AT - 1 })).toBe('rotate');
    expect(verdictOf({ ...live, age: END - ROTATED_AT })).toBe('revoked');
  });

  it('without a grace, accepts the predecessor without a key only in the same millisecond', () => {
    const follower = { behind: 1, madeBy: null, sent: null };
    expect(verdictOf({ ...follower, age: 0 }, 0)).toBe('concurrent');
    expect(verdictOf({ ...follower, age: 1 }, 0)).toBe('reuse');
  });
});

describe('classify, always', () => {
  it('says revoked of a revoked session', () => {
    fc.assert(
      fc.property(anyCase, anyGrace, fc.nat(), (each, grace, revoked_at) => {
        expect(verdictOf(each, grace, { revoked_at })).toBe('revoked');
      }),
    );
  });

  it('answers reuse for every generation more than one behind', () => {
    const older = anyCase.map((each) => ({ ...each, behind: 2 + Math.abs(each.behind) }));
    fc.assert(
      fc.property(older, anyGrace, (each, grace) => {
        expect(verdictOf(each, grace)).toBe('reuse');
      }),
    );
  });

  it('accepts the predecessor of a rotation with a key only with that key', () => {
    const follower = anyCase.map((each) => ({ ...each, behind: 1, madeBy: each.madeBy ?? 'a' }));
    fc.assert(
      fc.property(follower, anyGrace, (each, grace) => {
        expect(verdictOf(each, grace)).toBe(each.sent === each.madeBy ? 'replay' : 'reuse');
      }),
    );
  });

  it('measures the grace from the rotation: no use of the session since makes it longer', () => {
    const follower = { behind: 1, madeBy: null, sent: null };
    const later = fc.integer({ min: 1, max: 80_000_000 });
    fc.assert(
      fc.property(anyGrace, later, fc.integer(), (grace, beyond, last_used_at) => {
        const used = { last_used_at, idle_expires_at: last_used_at } as Partial<typeof session>;
        expect(verdictOf({ ...follower, age: grace + beyond }, grace, used)).toBe('reuse');
        expect(verdictOf({ ...follower, age: grace }, grace, used)).toBe('concurrent');
      }),
    );
  });

  it('does not let the age or the grace decide, except about one behind without keys', () => {
    fc.assert(
      fc.property(anyCase, anyGrace, anyCase, anyGrace, (each, grace, { age }, otherGrace) => {
        fc.pre(each.behind !== 1 || each.madeBy !== null || each.sent !== null);
        expect(verdictOf({ ...each, age }, otherGrace)).toBe(verdictOf(each, grace));
      }),
    );
  });

  it('rotates nothing but the live generation', () => {
    fc.assert(
      fc.property(anyCase, anyGrace, (each, grace) => {
        expect(['rotate', 'key_reused'].includes(verdictOf(each, grace))).toBe(each.behind === 0);
      }),
    );
  });
});
