import { describe, expect, it } from '@jest/globals';
import { TestClock } from '../../testing/test-clock.js';
import { generateKey, generateKeySet } from '../../keys/key-file.js';
import { KeyRing, type PrivateJwk, type SigningAlgorithm } from '../../keys/key-ring.js';
import { CsrfTokens } from './csrf-tokens.js';

const SESSION = '01a20edd-7b91-7147-a4f6-fead58289998';
const clock = new TestClock();
const tokensOf = (...keys: PrivateJwk[]) =>
  new CsrfTokens(new KeyRing({ keys: [generateKey('access', 'ES256'), ...keys] }, clock.now()), clock);
const named = (kid: string, alg: SigningAlgorithm = 'HS256'): PrivateJwk => ({
  ...generateKey('refresh', alg),
  kid,
});
const seconds = (from: string | number) => Math.floor((clock.now() + Number(from)) / 1000);

describe('the CSRF value of a session', () => {
  const tokens = tokensOf(named('k1'));
  const value = tokens.of(SESSION);

  it('is accepted for that session only, and is always the same', () => {
    expect(tokens.isOf(SESSION, value)).toBe(true);
    expect(tokens.of(SESSION)).toBe(value);
    for (const other of [SESSION.toUpperCase(), `${SESSION} `, '', SESSION.slice(0, -1)]) {
      expect(tokens.isOf(other, value)).toBe(false);
    }
  });

  it('is refused with any character removed, added or changed', () => {
    for (let i = 0; i < value.length; i++) {
      const changed = value[i] === 'A' ? 'B' : 'A';
      for (const middle of ['', changed, `${value[i]}A`, `${value[i]} `, `${value[i]}é`]) {
        expect(tokens.isOf(SESSION, value.slice(0, i) + middle + value.slice(i + 1))).toBe(false);
      }
    }
  });

  it.each(['', '.', '..', 'x', `.${value}`, `${value}.`, `${value}, ${value}`, `${value}=`, `"${value}"`])(
    'is not "%s"',
    (given) => {
      expect(tokens.isOf(SESSION, given)).toBe(false);
    },
  );

  it('is not the HMAC alone, and not that of another key', () => {
    expect(tokens.isOf(SESSION, value.slice(value.lastIndexOf('.') + 1))).toBe(false);
    expect(tokens.isOf(SESSION, tokensOf(named('k1')).of(SESSION))).toBe(false);
  });

  it.each(['k1', '2026-08:refresh', 'a/b+c=', 'two.dots.', '~!@#$%^&*()', '";,\\', '.'])(
    'is the same in a cookie as in a header, whatever the key is called: "%s"',
    (kid) => {
      const ours = tokensOf(named(kid));
      expect(ours.isOf(SESSION, ours.of(SESSION))).toBe(true);
      // Scripts read the raw value of the cookie, without decoding it.
      expect(encodeURIComponent(ours.of(SESSION))).toBe(ours.of(SESSION));
    },
  );

  it.each<SigningAlgorithm>(['HS256', 'ES256', 'ES384', 'RS256'])('may come from a key of %s', (alg) => {
    const ours = tokensOf(named('k', alg));
    expect(ours.isOf(SESSION, ours.of(SESSION))).toBe(true);
  });

  it('is accepted while its key verifies, and refused from the end of the key on', () => {
    const old = named('old');
    const before = tokensOf(old).of(SESSION);
    const retiring: PrivateJwk = { ...old, verifies_until: seconds(60_000) };
    const rotated = tokensOf(retiring, { ...named('new'), signs_from: seconds(0) });
    expect(rotated.of(SESSION)).not.toBe(before);
    expect(rotated.isOf(SESSION, before)).toBe(true);
    clock.advance(60_000);
    expect(rotated.isOf(SESSION, before)).toBe(false);
  });

  it('refuses a value made with an access key', () => {
    const set = generateKeySet('HS256');
    const ring = new KeyRing(set, clock.now());
    const [access, refresh] = set.keys as [PrivateJwk, PrivateJwk];
    // The same set with the two keys in each other's places.
    const swapped = new KeyRing(
      {
        keys: [
          { ...access, token_use: 'refresh' },
          { ...refresh, token_use: 'access' },
        ],
      },
      clock.now(),
    );
    const forged = new CsrfTokens(swapped, clock).of(SESSION);
    expect(new CsrfTokens(ring, clock).isOf(SESSION, forged)).toBe(false);
  });
});
