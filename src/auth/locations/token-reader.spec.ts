import { describe, expect, it } from '@jest/globals';
import { type IncomingMessage } from 'node:http';
import { TokenError } from '../../tokens/token.errors.js';
import { type AuthRequest } from '../request/auth-request.js';
import { type AuthOptions } from '../options/auth-options.js';
import { type AuthModuleOptions, resolveOptions } from '../options/resolve-options.js';
import { TokenReader } from './token-reader.js';

const reader = (locations: AuthModuleOptions['locations'] = {}) =>
  new TokenReader(resolveOptions({ keys: {} as AuthOptions['keys'], locations }));

/** A request as Node hands it over: the first `Authorization` in `headers`, all of them in the raw list. */
function request(...values: string[]): AuthRequest {
  const rawHeaders = ['Host', 'localhost', ...values.flatMap((value) => ['Authorization', value])];
  const authorization = values[0];
  return { headers: authorization === undefined ? {} : { authorization }, rawHeaders };
}

/** The same behind Fastify's wrapper. */
const wrapped = ({ headers, rawHeaders }: AuthRequest): AuthRequest => ({
  headers,
  raw: { rawHeaders } as IncomingMessage,
});

function outcome(given: AuthRequest): string | null {
  try {
    return reader().read(given, ['access'])?.token ?? null;
  } catch (error) {
    if (error instanceof TokenError) return `${error.code}: ${error.reason}`;
    throw error;
  }
}

describe('the token in the header', () => {
  it.each([
    'Bearer abc.def.ghi',
    'bearer abc.def.ghi',
    'BEARER abc.def.ghi',
    'bEaReR abc.def.ghi',
    'Bearer   abc.def.ghi',
    '  Bearer abc.def.ghi  ',
  ])('finds the token in "%s"', (header) => {
    expect(outcome(request(header))).toBe('abc.def.ghi');
  });

  it('leaves the token as it was sent', () => {
    expect(outcome(request('Bearer AbC,="%41'))).toBe('AbC,="%41');
  });

  it('finds nothing where nothing was sent', () => {
    expect(outcome(request())).toBeNull();
  });

  it('finds nothing in a request that lists no raw headers', () => {
    expect(outcome({ headers: {} })).toBeNull();
    expect(outcome({ headers: { authorization: 'Bearer abc' } })).toBe('abc');
  });

  it.each([
    '',
    ' ',
    'Bearer',
    'Bearer ',
    'Basic dXNlcjpwYXNz',
    'DPoP abc',
    'Token abc',
    'abc.def.ghi',
    'Bearerabc',
    'Bearer\tabc',
    'Bearer\u00a0abc',
    'Bearer: abc',
    'Bearer=abc',
    'Bea rer abc',
    'Basic x, Bearer abc',
  ])('finds nothing in "%s"', (header) => {
    expect(outcome(request(header))).toBeNull();
  });

  it.each([
    'Bearer abc def',
    'Bearer abc, Bearer def',
    'Bearer abc\u00a0def',
    'Bearer abc\u00a0',
    'Bearer ÀbC',
    'bearer abc bearer',
  ])('refuses "%s", which is not one token', (header) => {
    expect(outcome(request(header))).toBe('token_invalid: what is in the header is not one word of ASCII');
  });

  it.each([
    ['two tokens', ['Bearer abc', 'Bearer def']],
    ['one token twice', ['Bearer abc', 'Bearer abc']],
    ['another scheme and a token', ['Basic dXNlcjpwYXNz', 'Bearer abc']],
    ['a token and another scheme', ['Bearer abc', 'Basic dXNlcjpwYXNz']],
    ['two of another scheme', ['Basic a', 'Basic b']],
    ['an empty one and a token', ['', 'Bearer abc']],
  ])('refuses two Authorization headers, with and without a wrapper: %s', (_, values) => {
    const refused = 'token_invalid: several tokens in the header';
    expect([outcome(request(...values)), outcome(wrapped(request(...values)))]).toEqual([refused, refused]);
  });

  it('counts Authorization headers whatever the case of their names', () => {
    const rawHeaders = ['authorization', 'Bearer abc', 'AUTHORIZATION', 'Bearer def'];
    expect(outcome({ headers: { authorization: 'Bearer abc' }, rawHeaders })).toMatch(/^token_invalid/);
  });

  it('does not mistake a value for a header', () => {
    const rawHeaders = ['X-Forwarded-Header', 'authorization', 'Authorization', 'Bearer abc'];
    expect(outcome({ headers: { authorization: 'Bearer abc' }, rawHeaders })).toBe('abc');
  });
});
