import { describe, expect, it } from '@jest/globals';
import { generateKeySet } from '../../keys/key-file.js';
import { KeyRing } from '../../keys/key-ring.js';
import { SystemClock } from '../../time/clock.js';
import { type AuthRequest } from '../request/auth-request.js';
import { ApiError } from '../errors/api-error.js';
import { type AuthModuleOptions, resolveOptions } from '../options/resolve-options.js';
import { type TokenClaims } from '../request/principal.js';
import { CsrfCheck } from './csrf-check.js';
import { CsrfTokens } from './csrf-tokens.js';

const clock = new SystemClock();
const keys = generateKeySet();
const tokens = new CsrfTokens(new KeyRing(keys, clock.now()), clock);
const checkOf = (csrf: AuthModuleOptions['csrf'] = {}) =>
  new CsrfCheck(
    tokens,
    resolveOptions({ keys, csrf: { trustedOrigins: ['https://app.example.com'], ...csrf } }),
  );

const HOST = 'api.example.com';
const request = (headers: AuthRequest['headers'], method = 'POST'): AuthRequest => ({
  method,
  headers: { host: HOST, ...headers },
  authInfo: { sid: 'session' } as TokenClaims,
});

/** The outcome of a request: `passes`, `asked` for the CSRF value, or `refused` as that of another site. */
function outcome(given: AuthRequest, csrf?: AuthModuleOptions['csrf']): string {
  try {
    checkOf(csrf).require(given);
    return 'passes';
  } catch (error) {
    if (!(error instanceof ApiError) || error.errorCode !== 'csrf_failed') throw error;
    return error.message.startsWith('Send the header') ? 'asked' : 'refused';
  }
}

describe('a request with a cookie', () => {
  it.each<[string, AuthRequest['headers'], string]>([
    ['nothing', {}, 'asked'],
    ['same-origin', { 'sec-fetch-site': 'same-origin' }, 'passes'],
    ['none: typed by the user', { 'sec-fetch-site': 'none' }, 'passes'],
    ['same-site: a sub-domain', { 'sec-fetch-site': 'same-site' }, 'refused'],
    ['cross-site', { 'sec-fetch-site': 'cross-site' }, 'refused'],
    ['another case', { 'sec-fetch-site': 'Same-Origin' }, 'refused'],
    ['a value of the future', { 'sec-fetch-site': 'same-party' }, 'refused'],
    ['it twice', { 'sec-fetch-site': 'same-origin, same-origin' }, 'refused'],
    ['it and another', { 'sec-fetch-site': 'same-origin, cross-site' }, 'refused'],
    ['it empty', { 'sec-fetch-site': '' }, 'asked'],
    ['white space', { 'sec-fetch-site': ' same-origin' }, 'refused'],
    ['our origin', { origin: `https://${HOST}` }, 'passes'],
    ['our origin by plain HTTP', { origin: `http://${HOST}` }, 'passes'],
    ['our origin in capitals', { origin: 'https://API.EXAMPLE.COM' }, 'passes'],
    ['our origin with its port', { origin: `https://${HOST}:443` }, 'passes'],
    ['another port', { origin: `https://${HOST}:8443` }, 'refused'],
    ['the port of the other scheme', { origin: `http://${HOST}:443` }, 'refused'],
    ['a sub-domain', { origin: `https://evil.${HOST}` }, 'refused'],
    ['a domain that begins so', { origin: `https://${HOST}.evil.com` }, 'refused'],
    ['a domain that ends so', { origin: `https://evil${HOST}` }, 'refused'],
    ['a user of another host', { origin: `https://${HOST}@evil.com` }, 'refused'],
    ['a dot at the end', { origin: `https://${HOST}.` }, 'refused'],
    ['null: a sandbox, a file, a redirect', { origin: 'null' }, 'refused'],
    ['an empty origin', { origin: '' }, 'asked'],
    ['no URL', { origin: HOST }, 'refused'],
    ['a scheme without a host', { origin: 'file://' }, 'refused'],
    ['two origins', { origin: `https://${HOST}, https://${HOST}` }, 'refused'],
    ['a trusted origin', { origin: 'https://app.example.com' }, 'passes'],
    [
      'a trusted origin of another site',
      { origin: 'https://app.example.com', 'sec-fetch-site': 'cross-site' },
      'passes',
    ],
    ['a trusted origin by plain HTTP', { origin: 'http://app.example.com' }, 'refused'],
    ['a trusted origin with another port', { origin: 'https://app.example.com:444' }, 'refused'],
    ['a trusted origin with its port', { origin: 'https://app.example.com:443' }, 'refused'],
    ['a trusted origin and a slash', { origin: 'https://app.example.com/' }, 'refused'],
    ['a trusted origin twice', { origin: 'https://app.example.com, https://app.example.com' }, 'refused'],
    [
      'our origin, but from elsewhere',
      { origin: `https://${HOST}`, 'sec-fetch-site': 'cross-site' },
      'refused',
    ],
    ['a forwarded host', { origin: 'https://evil.com', 'x-forwarded-host': 'evil.com' }, 'refused'],
    ['a Referer alone', { referer: `https://${HOST}/` }, 'asked'],
    ['an XMLHttpRequest', { 'x-requested-with': 'XMLHttpRequest' }, 'asked'],
  ])('that says %s', (_, headers, expected) => {
    expect(outcome(request(headers))).toBe(expected);
  });

  it.each([
    ['[::1]:3000', 'http://[::1]:3000', 'passes'],
    ['[::1]', 'http://[::1]', 'passes'],
    ['[::1]:80', 'http://[::1]', 'passes'],
    ['[::1]:3000', 'http://[0:0:0:0:0:0:0:1]:3000', 'passes'],
    ['[::1]:3000', 'http://[::1]:3001', 'refused'],
    ['[::1]:3000', 'http://[::2]:3000', 'refused'],
    ['[::1]:3000', 'http://127.0.0.1:3000', 'refused'],
    ['localhost:3000', 'http://localhost:3000', 'passes'],
    ['localhost:3000', 'http://localhost:5173', 'refused'],
    ['localhost:3000', 'http://localhost', 'refused'],
  ])('to %s from %s %s', (host, origin, expected) => {
    expect(outcome(request({ host, origin }))).toBe(expected);
  });

  it('shows that it can read the cookie', () => {
    const value = tokens.of('session');
    expect(outcome(request({ 'x-csrf-token': value }))).toBe('passes');
    for (const wrong of [
      '',
      ' ',
      value.slice(0, -1),
      `${value}, ${value}`,
      tokens.of('another'),
      'é',
      '\u0000',
    ]) {
      expect(outcome(request({ 'x-csrf-token': wrong }))).toBe('asked');
    }
    expect(outcome(request({ 'x-csrf-token': [value, value] }))).toBe('asked');
    // A page of another site is refused even with the right value.
    expect(outcome(request({ 'x-csrf-token': value, 'sec-fetch-site': 'cross-site' }))).toBe('refused');
    expect(outcome(request({ 'x-csrf-token': value, origin: 'https://evil.com' }))).toBe('refused');
  });

  it('is asked for the header that the application has chosen', () => {
    const csrf = { headerName: 'X-My-Token', cookieName: 'my' };
    const value = tokens.of('session');
    expect(outcome(request({ 'x-my-token': value }), csrf)).toBe('passes');
    expect(outcome(request({ 'x-csrf-token': value }), csrf)).toBe('asked');
    expect(() => checkOf(csrf).require(request({}))).toThrow(
      'Send the header X-My-Token with the value of the cookie my',
    );
  });

  it.each([
    ['GET', 'passes'],
    ['HEAD', 'passes'],
    ['OPTIONS', 'passes'],
    ['POST', 'refused'],
    ['PUT', 'refused'],
    ['PATCH', 'refused'],
    ['DELETE', 'refused'],
  ])('by %s from elsewhere %s', (method, expected) => {
    expect(outcome(request({ 'sec-fetch-site': 'cross-site' }, method))).toBe(expected);
  });

  it('is checked for the methods that the application names, in upper or lower case', () => {
    const csrf = { methods: ['get', 'Delete'] };
    expect(outcome(request({ 'sec-fetch-site': 'cross-site' }, 'GET'), csrf)).toBe('refused');
    expect(outcome(request({}, 'GET'), csrf)).toBe('asked');
    expect(outcome(request({}, 'DELETE'), csrf)).toBe('asked');
    expect(outcome(request({}, 'POST'), csrf)).toBe('passes');
  });
});

describe('a request without cookies whose answer sets some', () => {
  const check = checkOf();

  it('passes if it names no origin, and is refused if it names a foreign one', () => {
    expect(() => check.requireSite(request({}))).not.toThrow();
    expect(() => check.requireSite(request({ 'sec-fetch-site': 'same-origin' }))).not.toThrow();
    expect(() => check.requireSite(request({ origin: 'https://app.example.com' }))).not.toThrow();
    for (const headers of [
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'null' },
      { origin: 'https://evil.com' },
    ]) {
      expect(() => check.requireSite(request(headers))).toThrow(/another origin/);
    }
  });
});
