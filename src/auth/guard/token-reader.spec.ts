import { describe, expect, it } from '@jest/globals';
import { type IncomingMessage } from 'node:http';
import { type TokenKind } from '../../tokens/token-claims.js';
import { TokenError } from '../../tokens/token.errors.js';
import { type AuthRequest } from '../request/auth-request.js';
import { type AuthOptions } from '../options/auth-options.js';
import { type AuthModuleOptions, resolveOptions } from '../options/resolve-options.js';
import { requireSingleToken, TokenReader } from './token-reader.js';

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

function outcome(
  given: AuthRequest,
  locations: AuthModuleOptions['locations'] = {},
  kinds: readonly TokenKind[] = ['access'],
): string | null {
  try {
    const found = reader(locations).read(given, kinds);
    if (found) requireSingleToken(found);
    return found?.token ?? null;
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
    'Basic dXNlcjpwYXNz',
    'DPoP abc',
    'Token abc',
    'abc.def.ghi',
    'Bearerabc',
    'Bea rer abc',
    'Basic Bearer abc',
    'Basic x, Bearerabc',
  ])('finds nothing in "%s"', (header) => {
    expect(outcome(request(header))).toBeNull();
  });

  it.each([
    'Bearer',
    'Bearer ',
    'bearer',
    'Bearer\tabc',
    'Bearer\u00a0abc',
    'Bearer: abc',
    'Bearer=abc',
    'Bearer, Basic x',
    'Basic x, Bearer abc',
    'Basic x,Bearer abc',
    'Foo 1, bearer 2',
    'Foo 1, Bearer',
  ])('refuses "%s", broken credentials of our scheme', (header) => {
    expect(outcome(request(header))).toMatch(/^token_invalid: /);
  });

  it.each([
    'Bearer abc def',
    'Bearer abc, Bearer def',
    'Bearer abc\u00a0def',
    'Bearer abc\u00a0',
    'Bearer ÀbC',
    'bearer abc bearer',
  ])('refuses "%s", which is not one token', (header) => {
    expect(outcome(request(header))).toBe('token_invalid: the header does not hold a single ASCII token');
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

describe('the token in a header of another name', () => {
  const named = (value: string): AuthRequest => ({
    headers: { 'x-token': value },
    rawHeaders: ['X-Token', value],
  });

  it.each([
    ['', 'abc', 'abc'],
    ['', ' abc ', 'abc'],
    ['', '', null],
    ['', '   ', null],
    ['', 'Bearer abc', 'token_invalid: the header does not hold a single ASCII token'],
    ['', 'abc, abc', 'token_invalid: the header does not hold a single ASCII token'],
    ['', 'abc\u00a0', 'token_invalid: the header does not hold a single ASCII token'],
    ['Token', 'token abc', 'abc'],
    ['Token', 'Bearer abc', null],
    ['Token', 'abc', null],
  ])('with the scheme "%s": "%s"', (headerScheme, value, expected) => {
    expect(outcome(named(value), { headerName: 'X-Token', headerScheme })).toBe(expected);
  });

  it('is not that of the usual header', () => {
    expect(outcome(request('Bearer abc'), { headerName: 'X-Token' })).toBeNull();
  });
});

describe('a header', () => {
  it('is read in linear time, also full of spaces', () => {
    // Four times Node's limit: in quadratic time this would take seconds.
    const spaces = ' '.repeat(60_000);
    const start = performance.now();
    for (const value of [
      `Bearer x${spaces}y`,
      `Bearer${spaces}x`,
      `${spaces}Bearer`,
      `x${spaces}y${spaces}`,
      `x${',Bearer'.repeat(10_000)}`,
      `x${', '.repeat(30_000)}`,
    ]) {
      outcome(request(value));
    }
    expect(performance.now() - start).toBeLessThan(500);
  });
});

describe('the token in a cookie', () => {
  const NAME = '__Host-access_token';
  const inCookie = (cookie: string, kinds?: readonly TokenKind[]) =>
    outcome({ headers: { cookie } }, { order: ['cookie'] }, kinds);

  it.each([
    [`${NAME}=abc`, 'abc'],
    [`a=b; ${NAME}=abc; c=d`, 'abc'],
    [`a=b;${NAME}=abc;c=d`, 'abc'],
    [`;;; ;${NAME}=abc;`, 'abc'],
    [`\t${NAME} = abc\t`, 'abc'],
    [`${NAME}="abc"`, 'abc'],
    [`${NAME}=%61bc`, 'abc'],
    [`${NAME}=a=b=`, 'a=b='],
    [`${NAME}=; ${NAME}=abc`, 'abc'],
    [`x="; ${NAME}=abc`, 'abc'],
  ])('is found in "%s"', (cookie, token) => {
    expect(inCookie(cookie)).toBe(token);
  });

  it.each([
    '',
    NAME,
    `${NAME}=`,
    `${NAME}=""`,
    `=${NAME}=abc`,
    `${NAME}2=abc`,
    `X${NAME}=abc`,
    `__host-access_token=abc`,
    `access_token=abc`,
    `__Secure-access_token=abc`,
    `__Host-refresh_token=abc`,
    `%5F_Host-access_token=abc`,
    `\u00a0${NAME}=abc`,
    `"${NAME}"=abc`,
    `a=b, ${NAME}=abc`,
    `$Version=1,${NAME}=abc`,
    `a=${NAME}=abc`,
    '__proto__=abc',
    'constructor=abc; toString=abc',
  ])('is missing in "%s"', (cookie) => {
    expect(inCookie(cookie)).toBeNull();
  });

  it.each([
    `${NAME}=abc; ${NAME}=def`,
    `${NAME}=abc; ${NAME}=abc`,
    `${NAME}=abc; x=y; ${NAME}="abc"`,
    `${NAME}=abc;${NAME} =def`,
  ])('is refused when there are several, as in "%s": one of them may have been planted', (cookie) => {
    expect(inCookie(cookie)).toBe('token_invalid: several tokens in the cookie');
  });

  it.each([`${NAME}=abc def`, `${NAME}=abc%20def`, `${NAME}=abc%00`, `${NAME}=%C3%A4`, `${NAME}=a%0d%0ab`])(
    'is refused when it is not one word, as in "%s"',
    (cookie) => {
      expect(inCookie(cookie)).toBe('token_invalid: the cookie does not hold a single ASCII token');
    },
  );

  it('is read under the name of its kind; if both kinds are accepted, the more likely one first', () => {
    const both = `__Host-refresh_token=r; ${NAME}=a`;
    expect(inCookie(both, ['access'])).toBe('a');
    expect(inCookie(both, ['refresh'])).toBe('r');
    expect(inCookie(both, ['access', 'refresh'])).toBe('a');
    expect(inCookie('__Host-refresh_token=r', ['access', 'refresh'])).toBe('r');
  });

  it('is found among a thousand others without delay', () => {
    const many = Array.from({ length: 1_000 }, (_, i) => `c${i}=${i}`).join('; ');
    expect(inCookie(`${many}; ${NAME}=abc`)).toBe('abc');
  });
});

describe('the token in the query', () => {
  const inQuery = (url: string) => outcome({ headers: {}, url }, { order: ['query'] });

  it.each([
    ['/x?access_token=abc', 'abc'],
    ['/x?a=b&access_token=abc#access_token=def', 'abc'],
    ['/x?%61ccess_token=abc', 'abc'],
    ['/x?access_token=a?b', 'a?b'],
    ['http://host/x?access_token=abc', 'abc'],
    ['/x?access_token=&access_token=abc', 'abc'],
    ['/x', null],
    ['/x?', null],
    ['/x?access_token', null],
    ['/x#?access_token=abc', null],
    ['/x;access_token=abc', null],
    ['/access_token=abc', null],
    ['/x?a=1;access_token=abc', null],
    ['/x?access_token=abc&access_token=abc', 'token_invalid: several tokens in the query'],
    ['/x?access_token=abc+def', 'token_invalid: the query does not hold a single ASCII token'],
    ['/x?access_token=%ff', 'token_invalid: the query does not hold a single ASCII token'],
  ])('of "%s" is %s', (url, expected) => {
    expect(inQuery(url)).toBe(expected);
  });

  it('prefers the URL that the client sent to one that was rewritten', () => {
    const rewritten = { headers: {}, url: '/?access_token=other', originalUrl: '/x?access_token=sent' };
    expect(outcome(rewritten, { order: ['query'] })).toBe('sent');
  });
});

describe('removed from the request', () => {
  it('is the token of every location of the route, and nothing else', () => {
    const query = { access_token: 'q', page: '2' };
    const body = { access_token: 'b', n: 1 };
    const given: AuthRequest = { headers: {}, url: '/x?access_token=q&page=2', query, body };
    const found = reader({ order: ['header', 'query', 'body'] }).read(given, ['access']);
    expect(found).toEqual({ token: 'q', location: 'query' });
    expect([given.query, given.body]).toEqual([{ page: '2' }, { n: 1 }]);
    expect(body).toEqual({ access_token: 'b', n: 1 });
  });

  it('is nothing when the route reads no token', () => {
    const body = { access_token: 'b' };
    const given: AuthRequest = { headers: {}, url: '/x', body };
    expect(reader({ order: ['header', 'query'] }).read(given, ['access'])).toBeNull();
    expect(given.body).toBe(body);
  });

  it('is never an inherited member', () => {
    const body = Object.create({ access_token: 'b' }) as object;
    expect(outcome({ headers: {}, body }, { order: ['body'] })).toBeNull();
  });
});
