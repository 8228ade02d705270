import { describe, expect, it } from '@jest/globals';
import { parseClaims, type TokenKind } from './token-claims.js';
import { TokenError } from './token.errors.js';

const COMMON = { iss: 'freshgate', aud: 'freshgate', sub: 'user', sid: 'session', jti: 'id', iat: 1, exp: 2 };
const VALID: Record<TokenKind, Record<string, unknown>> = {
  access: { ...COMMON, type: 'access', fresh: true, auth_time: 1, acr: 'mfa', amr: ['pwd'] },
  refresh: { ...COMMON, type: 'refresh', gen: 0 },
};

const NO_TEXT = [null, undefined, '', 1, true, ['x'], {}];
const NO_WHOLE_NUMBER = [null, undefined, '1', 1.5, -1, Number.NaN, Infinity, 2 ** 53, true, [1], {}];
const WRONG: Record<string, unknown[]> = {
  iss: NO_TEXT,
  aud: [null, undefined, '', 1, true, {}, [''], ['freshgate', 1], ['freshgate', null]],
  sub: NO_TEXT,
  sid: NO_TEXT,
  jti: NO_TEXT,
  iat: NO_WHOLE_NUMBER,
  exp: NO_WHOLE_NUMBER,
  fresh: [null, undefined, 0, 1, 'true', {}],
  auth_time: NO_WHOLE_NUMBER,
  acr: [null, undefined, '', 'PWD', 'mfa ', 'loa2', 1, ['mfa'], {}],
  amr: [null, undefined, 'pwd', {}, [1], ['']],
  gen: NO_WHOLE_NUMBER,
};
const WRONG_TYPE: Record<TokenKind, unknown[]> = {
  access: [null, undefined, '', 'refresh', 'Access', 'access ', ['access'], true],
  refresh: [null, undefined, '', 'access', 'Refresh', 'refresh ', ['refresh'], true],
};

function refusal(kind: TokenKind, payload: unknown): TokenError | undefined {
  try {
    parseClaims(kind, payload);
  } catch (error) {
    if (error instanceof TokenError) return error;
    throw error;
  }
}

const refusesNaming = (kind: TokenKind, claim: string, payload: unknown) =>
  expect(refusal(kind, payload)).toMatchObject({
    code: 'token_invalid',
    reason: `claim "${claim}" is missing or malformed for a token of kind ${kind}`,
  });

describe.each(['access', 'refresh'] as const)('parseClaims, for a token of kind %s', (kind) => {
  // A token of the previous version has no `acr`.
  const claims = Object.keys(VALID[kind]).filter((claim) => claim !== 'acr');

  it('returns a complete payload', () => {
    expect(parseClaims(kind, VALID[kind])).toEqual(VALID[kind]);
  });

  it('takes an audience of several', () => {
    expect(refusal(kind, { ...VALID[kind], aud: ['freshgate', 'other'] })).toBeUndefined();
  });

  it.each(claims)('refuses a payload without "%s", and names it', (claim) => {
    const { [claim]: _, ...rest } = VALID[kind];
    refusesNaming(kind, claim, rest);
  });

  it.each(claims)('does not count "%s" where it is only inherited', (claim) => {
    const { [claim]: value, ...rest } = VALID[kind];
    refusesNaming(kind, claim, Object.assign(Object.create({ [claim]: value }) as object, rest));
  });

  it.each(claims)('refuses every wrong form of "%s", and names it', (claim) => {
    const wrong = claim === 'type' ? WRONG_TYPE[kind] : WRONG[claim]!;
    for (const value of wrong) refusesNaming(kind, claim, { ...VALID[kind], [claim]: value });
  });

  it.each([
    ['null', null],
    ['nothing', undefined],
    ['text', 'text'],
    ['a number', 1],
    ['true', true],
  ])('refuses a payload that is %s', (_, payload) => {
    expect(refusal(kind, payload)).toMatchObject({
      code: 'token_invalid',
      reason: 'the payload is not a JSON object',
    });
  });

  it('refuses a payload that is a list', () => refusesNaming(kind, 'iss', [VALID[kind]]));
});

describe('the roles of an access token', () => {
  it('may be absent, or empty, or several', () => {
    for (const roles of [[], ['admin'], ['admin', 'ops:read']]) {
      expect(parseClaims('access', { ...VALID.access, roles })).toMatchObject({ roles });
    }
    expect(parseClaims('access', VALID.access).roles).toBeUndefined();
  });

  it.each([[null], [undefined], ['admin'], [{}], [true], [[1]], [['']], [[['admin']]]])(
    'are refused as %p',
    (roles) => {
      expect(refusal('access', { ...VALID.access, roles })).toMatchObject({
        code: 'token_invalid',
        reason: 'claim "roles" is missing or malformed for a token of kind access',
      });
    },
  );
});

describe('the level of an access token', () => {
  const { acr: _, ...old } = VALID.access;

  it('is pwd in a token of the previous version, which has no acr', () => {
    expect(parseClaims('access', old)).toEqual({ ...old, acr: 'pwd' });
    const inherited = Object.assign(Object.create({ acr: 'phr' }) as object, old);
    expect(parseClaims('access', inherited).acr).toBe('pwd');
  });

  it.each(WRONG['acr']!)('is refused as %p', (acr) => refusesNaming('access', 'acr', { ...old, acr }));
});

describe('parseClaims', () => {
  it.each([
    ['access', 'refresh'],
    ['refresh', 'access'],
  ] as const)('refuses the claims of kind %s for a token of kind %s', (given, wanted) => {
    refusesNaming(wanted, 'type', VALID[given]);
  });
});
