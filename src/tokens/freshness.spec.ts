import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { isFresh } from './freshness.js';

const NOW = 1_800_000_000;
const MAX_AGE = 300;

/** All in seconds, as a token says it; `isFresh` itself takes milliseconds. */
const freshAfter = (age: number, { fresh = true, maxAge = MAX_AGE, milliseconds = 0 } = {}) =>
  isFresh({ fresh, auth_time: NOW - age }, maxAge * 1000, NOW * 1000 + milliseconds);

describe('isFresh', () => {
  it.each([
    ['at the moment of its proof', 0],
    ['a second before the limit', MAX_AGE - 1],
    ['at the limit', MAX_AGE],
    ['when its proof was made by a clock two seconds ahead', -2],
  ])('accepts a fresh token %s', (_, age) => {
    expect(freshAfter(age)).toBe(true);
  });

  it.each([
    ['a second past the limit', MAX_AGE + 1],
    ['days later', 172_800],
  ])('refuses a fresh token %s', (_, age) => {
    expect(freshAfter(age)).toBe(false);
  });

  it('counts whole seconds, as the token does: the limit ends with its second', () => {
    expect(freshAfter(MAX_AGE, { milliseconds: 999 })).toBe(true);
    expect(freshAfter(MAX_AGE, { milliseconds: 1000 })).toBe(false);
  });

  it('never accepts a token that came from a refresh, however recent its proof', () => {
    expect(freshAfter(0, { fresh: false })).toBe(false);
  });

  it('is true exactly for a fresh token whose proof is no older than the limit', () => {
    const second = fc.integer({ min: 0, max: 100_000 });
    fc.assert(
      fc.property(fc.boolean(), second, second, (fresh, age, maxAge) => {
        expect(freshAfter(age, { fresh, maxAge })).toBe(fresh && age <= maxAge);
      }),
    );
  });

  it('once lost, never comes back by waiting', () => {
    const second = fc.integer({ min: 0, max: 2 * MAX_AGE });
    fc.assert(
      fc.property(second, second, (age, wait) => {
        fc.pre(!freshAfter(age));
        expect(freshAfter(age + wait)).toBe(false);
      }),
    );
  });
});
