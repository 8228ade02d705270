import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TOKEN_MESSAGES, type TokenErrorCode } from '../../tokens/token.errors.js';
import { bearerChallenge, tokenChallenge } from './challenge.js';

/** One challenge, by a strict reading of RFC 9110 §11.2 and §5.6.4. */
const CHALLENGE =
  /^Bearer(?: [a-z_]+="(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*"(?:, [a-z_]+="(?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*")*)?$/;

/** The one parameter of a challenge, unescaped. */
const textIn = (challenge: string) =>
  /^Bearer error_description="((?:[^"\\]|\\.)*)"$/.exec(challenge)?.[1]?.replace(/\\(.)/g, '$1');

const described = (error_description: string) => bearerChallenge({ error_description });

describe('bearerChallenge', () => {
  it.each([
    ['the scheme alone', {}, 'Bearer'],
    ['one parameter', { error: 'invalid_token' }, 'Bearer error="invalid_token"'],
    ['parameters in their order', { realm: 'a', max_age: 300 }, 'Bearer realm="a", max_age="300"'],
    ['an empty parameter', { realm: '' }, 'Bearer realm=""'],
  ])('writes %s', (_, parameters, challenge) => {
    expect(bearerChallenge(parameters)).toBe(challenge);
  });

  it.each([
    ['a quote', 'a"b', 'a\\"b'],
    ['a backslash', 'a\\b', 'a\\\\b'],
    ['a backslash before a quote', '\\"', '\\\\\\"'],
    ['a parameter of its own', '", error="x', '\\", error=\\"x'],
    ['a backslash at the end', 'a\\', 'a\\\\'],
    ['a line break and a header', 'a\r\nSet-Cookie: x=y', 'aSet-Cookie: x=y'],
    ['a line feed', 'a\nb', 'ab'],
    ['a NUL and a DEL', 'a\0b\x7fc', 'abc'],
    ['letters beyond ASCII', 'Größe 鍵 🔑', 'Gre  '],
    ['line breaks beyond ASCII', 'a\u2028b\u0085c', 'abc'],
    ['full-width quotes', '＂', ''],
  ])('lets %s not break out of the quotes', (_, text, quoted) => {
    expect(described(text)).toBe(`Bearer error_description="${quoted}"`);
  });

  it('is one well-formed challenge for any text, and keeps the characters that it can hold', () => {
    const hostile = fc.string({
      unit: fc.oneof(
        fc.constantFrom('"', '\\', '\r', '\n', '\0', '\t', ',', '=', ' ', 'é', '鍵'),
        fc.string(),
      ),
    });
    fc.assert(
      fc.property(hostile, (text) => {
        expect(described(text)).toMatch(CHALLENGE);
        expect(textIn(described(text))).toBe(text.replace(/[^\t\x20-\x7e]/g, ''));
      }),
    );
  });
});

describe('tokenChallenge', () => {
  it('names no error where no token was sent (RFC 6750 §3.1)', () => {
    expect(tokenChallenge('token_missing')).toBe('Bearer');
  });

  it.each<[TokenErrorCode, string]>([
    ['token_invalid', 'Token is invalid'],
    ['token_expired', 'Token has expired'],
    ['token_wrong_type', 'Token is of the wrong type for this route'],
    ['token_revoked', 'Token has been revoked'],
    ['refresh_token_reused', 'Refresh token was used before; the session is revoked'],
  ])('calls %s an invalid_token, and describes it', (code, description) => {
    expect(tokenChallenge(code)).toBe(`Bearer error="invalid_token", error_description="${description}"`);
  });

  it('asks for a step-up with the age that the proof may have (RFC 9470 §3)', () => {
    expect(tokenChallenge('fresh_token_required', { maxAge: 300_000 })).toBe(
      'Bearer error="insufficient_user_authentication", error_description="Fresh token required", max_age="300"',
    );
  });

  it('asks for a level, alone and before an age', () => {
    expect(tokenChallenge('fresh_token_required', { acr: 'mfa' })).toBe(
      'Bearer error="insufficient_user_authentication", error_description="Fresh token required", acr_values="mfa"',
    );
    expect(tokenChallenge('fresh_token_required', { maxAge: 300_000, acr: 'mfa' })).toMatch(
      /, acr_values="mfa", max_age="300"$/,
    );
  });

  it('asks for a step-up without an age where none is known', () => {
    expect(tokenChallenge('fresh_token_required')).toBe(
      'Bearer error="insufficient_user_authentication", error_description="Fresh token required"',
    );
  });

  it('is well-formed for every code', () => {
    const codes = Object.keys(TOKEN_MESSAGES) as TokenErrorCode[];
    expect(
      codes.filter((code) => !CHALLENGE.test(tokenChallenge(code, { maxAge: 1000, acr: 'mfa' }))),
    ).toEqual([]);
  });
});
