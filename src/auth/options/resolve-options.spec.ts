import { describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createNamedAdapter } from '../../../test/support/adapters.js';
import { DatabaseModule, openDatabase } from '../../database/index.js';
import { generateKeySet } from '../../keys/key-file.js';
import { AuthModule } from '../auth.module.js';
import { AuthOptions } from './auth-options.js';
import { type AuthModuleOptions, AuthOptionsError, resolveOptions } from './resolve-options.js';

const KEYS = { keys: generateKeySet() };
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

/** An options object of any form, as plain JavaScript may pass it. */
function resolve(given: object): AuthOptions {
  return resolveOptions({ ...KEYS, ...given });
}

/** Every problem that is reported, as option → what was expected. */
function problemsOf(given: object): Record<string, string> {
  try {
    resolve(given);
  } catch (error) {
    if (!(error instanceof AuthOptionsError)) throw error;
    return Object.fromEntries(error.problems.map(({ option, problem }) => [option, problem]));
  }
  return {};
}

/** `{ 'tokens.accessTtl': 1 }` as `{ tokens: { accessTtl: 1 } }`. */
function nest(path: string, value: unknown): object {
  return path.split('.').reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as object;
}

/** Every option by its path, `keys` aside. */
function pathsOf(group: object, path = ''): string[] {
  return Object.entries(group).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? pathsOf(value, `${path}${name}.`)
      : [path + name],
  );
}

describe('the default options', () => {
  it('are exactly these', () => {
    expect(resolve({})).toEqual({
      keys: KEYS.keys,
      tokens: {
        issuer: 'freshgate',
        audience: ['freshgate'],
        acceptIssuers: [],
        acceptAudiences: [],
        accessTtl: 15 * MINUTE,
        leeway: 0,
        notBefore: false,
      },
      sessions: {
        sessionTtl: 30 * DAY,
        refreshTtl: 14 * DAY,
        refreshGrace: 10 * SECOND,
        revocationMaxStaleness: MINUTE,
      },
      locations: {
        order: ['header'],
        headerName: 'Authorization',
        headerScheme: 'Bearer',
        accessName: 'access_token',
        refreshName: 'refresh_token',
      },
      cookies: {
        accessName: '__Host-access_token',
        refreshName: '__Host-refresh_token',
        deviceName: '__Host-device',
        accessPath: '/',
        refreshPath: '/',
        domain: undefined,
        secure: true,
        sameSite: 'strict',
        persistent: true,
        partitioned: false,
      },
      csrf: {
        trustedOrigins: [],
        methods: ['POST', 'PUT', 'PATCH', 'DELETE'],
        headerName: 'X-CSRF-Token',
        cookieName: '__Host-csrf_token',
      },
      limits: {
        account: '10 per 1h',
        accountAndAddress: '5 per 15m',
        address: '100 per 1h',
        device: '10 per 1h',
        register: '20 per 1h',
        refresh: '60 per 1m',
      },
      passwords: { minLength: 8 },
      audit: { retention: 400 * DAY },
      freshMaxAge: 15 * MINUTE,
      registration: 'open',
    });
  });

  it('apply to options and groups given as undefined', () => {
    const given = { tokens: undefined, sessions: { sessionTtl: undefined }, registration: undefined };
    expect(resolve(given)).toEqual(resolve({}));
  });

  it('have cookie names without the prefix if secure is off; configured names stay', () => {
    const { cookies, csrf } = resolve({ cookies: { secure: false, refreshName: 'rt' } });
    expect([cookies.accessName, cookies.refreshName, csrf.cookieName]).toEqual([
      'access_token',
      'rt',
      'csrf_token',
    ]);
  });

  it('are cut to a configured session lifetime that is shorter', () => {
    const { tokens, sessions } = resolve({ sessions: { sessionTtl: '5m' } });
    expect([tokens.accessTtl, sessions.refreshTtl]).toEqual([15 * MINUTE, 14 * DAY]);
  });
});

describe('given options', () => {
  it('accept durations as text and as milliseconds', () => {
    for (const accessTtl of ['1h 30m', '90m', 90 * MINUTE]) {
      expect(resolve({ tokens: { accessTtl } }).tokens.accessTtl).toBe(90 * MINUTE);
    }
  });

  it.each([
    ['tokens.audience', 'api'],
    ['tokens.acceptIssuers', 'old-name'],
    ['tokens.acceptAudiences', 'old-api'],
    ['locations.order', 'cookie'],
    ['csrf.trustedOrigins', 'https://app.example.com'],
    ['csrf.methods', 'POST'],
  ])('%s takes one value for a list of one', (path, value) => {
    const [group = '', name = ''] = path.split('.');
    const { [group]: resolved } = resolve(nest(path, value)) as unknown as Record<
      string,
      Record<string, unknown>
    >;
    expect(resolved?.[name]).toEqual([value]);
  });

  it('change only themselves: the rest of a group keeps its defaults', () => {
    const { accessTtl: _, ...rest } = resolve({ tokens: { accessTtl: '1m' } }).tokens;
    expect(rest).toEqual({ ...resolve({}).tokens, accessTtl: undefined });
  });

  it('are frozen, down to the lists', () => {
    const options = resolve({ tokens: { audience: ['a', 'b'] } });
    const groups = [
      options,
      options.tokens,
      options.sessions,
      options.locations,
      options.cookies,
      options.csrf,
    ];
    const lists = [
      options.tokens.audience,
      options.tokens.acceptIssuers,
      options.tokens.acceptAudiences,
      options.locations.order,
      options.csrf.trustedOrigins,
      options.csrf.methods,
    ];
    expect([...groups, ...lists].map((each) => Object.isFrozen(each))).not.toContain(false);
  });

  it('are frozen also if secure is off and cookies are renamed', () => {
    const { cookies, csrf } = resolve({ cookies: { secure: false } });
    expect([Object.isFrozen(cookies), Object.isFrozen(csrf)]).toEqual([true, true]);
  });

  it('are copied: neither resolving nor a later change affects the other side', () => {
    const audience = ['a'];
    const given = { tokens: { audience, accessTtl: '1m' }, cookies: { secure: false } };
    const before = structuredClone(given);
    const options = resolve(given);
    expect(given).toEqual(before);
    expect([given, given.tokens, audience].map((each) => Object.isFrozen(each))).not.toContain(true);
    audience.push('b');
    expect(options.tokens.audience).toEqual(['a']);
  });

  it('are not shared between two applications', () => {
    const [one, other] = [resolve({}), resolve({})];
    expect(one.tokens).not.toBe(other.tokens);
    expect(one.csrf.methods).not.toBe(other.csrf.methods);
  });
});

const NO_DURATION = [
  0,
  -1,
  -60_000,
  Number.NaN,
  Infinity,
  1e30,
  1500.5,
  '0s',
  '-5m',
  '1e3',
  '',
  '5 minutes',
  null,
  true,
  {},
];

describe('a wrong option', () => {
  it.each([
    ['tokens.accessTtl', 'from 1s to 100w', NO_DURATION],
    ['sessions.sessionTtl', 'from 1s to 100w', NO_DURATION],
    ['sessions.refreshTtl', 'from 1s to 100w', NO_DURATION],
    ['freshMaxAge', 'from 1s to 100w', [...NO_DURATION, '101w']],
    ['tokens.leeway', 'from 0s to 30s', [-1, Number.NaN, 1e30, '31s', 30_001, 'none', null]],
    ['sessions.refreshGrace', 'from 0s to 1m', [-1, Number.NaN, 1e30, '61s', null]],
    ['sessions.revocationMaxStaleness', 'from 5s to 100w', [0, 4_999, '4s', Number.NaN, 1e30, null]],
    ['tokens.issuer', 'must', ['', '  ', 5, null, ['a']]],
    ['tokens.audience', 'must', ['', [], ['a', ' '], 5, null, [null]]],
    ['tokens.acceptIssuers', 'must', ['', [''], 5, null, [{}]]],
    ['tokens.acceptAudiences', 'must', ['', [''], 5, null, [{}]]],
    ['tokens.notBefore', 'boolean', ['true', 1, null]],
    ['locations.order', 'must', [[], 'headers', ['header', 'header'], ['header', 'url'], null, 5]],
    ['locations.headerName', 'name of visible ASCII', ['', 'X Token', 'X:Token', 'a\r\nb', 5, null]],
    ['locations.headerScheme', 'one word, or empty', ['Bearer x', 'a\r\nb', '"', 5, null]],
    ['locations.accessName', 'letters, digits', ['', 'a b', 'a[b]', 'a.b', null]],
    ['locations.refreshName', 'letters, digits', ['', 'a b', 'a=b', null]],
    ['cookies.accessName', 'name of visible ASCII', ['', 'a;b', 'a=b', 'a b', null]],
    ['cookies.refreshName', 'name of visible ASCII', ['', 'a;b', 'a,b', null]],
    ['cookies.accessPath', 'path that begins with /', ['', 'auth', '/a;b', '/a b', '/ä', null]],
    ['cookies.refreshPath', 'path that begins with /', ['', 'auth', '/a;b', null]],
    ['cookies.domain', 'domain name', ['', '.example.com', 'a b', 'a;b', 5]],
    ['cookies.secure', 'boolean', ['false', 0, null]],
    ['cookies.sameSite', 'strict, lax, none', ['Strict', '', true, null]],
    ['cookies.persistent', 'boolean', ['true', null]],
    ['cookies.partitioned', 'boolean', ['true', null]],
    [
      'csrf.trustedOrigins',
      'is not a valid origin',
      ['*', 'https://a.example/', 'a.example', 'null', [5], 'https://*.example.com'],
    ],
    ['csrf.trustedOrigins', 'array', [null, 5, {}]],
    ['csrf.methods', 'must', [[], '', ['PO ST'], [5], null]],
    ['csrf.headerName', 'name of visible ASCII', ['', 'X CSRF', null]],
    ['csrf.cookieName', 'name of visible ASCII', ['', 'a;b', null]],
    ['passwords.minLength', 'from 8 to 64', [7, 65, '7', 8.5, null, 'eight']],
    ['audit.retention', 'from 1d to 100w', [...NO_DURATION, '23h']],
    ['registration', 'open, closed', ['Open', '', true, null]],
  ])('%s is named, with what was expected: %s', (path, expected, values) => {
    for (const value of values) {
      const problems = problemsOf(nest(path, value));
      expect({ value, options: Object.keys(problems) }).toEqual({ value, options: [path] });
      expect(problems[path]).toContain(expected);
    }
  });

  it.each([
    ['tokens.accessTtl', 3600, "for 3600 seconds write '1h' or 3600000"],
    ['tokens.accessTtl', 900, "for 900 seconds write '15m' or 900000"],
    ['sessions.refreshTtl', 1_209_600, "for 1209600 seconds write '2w' or 1209600000"],
    ['freshMaxAge', 300, "for 300 seconds write '5m' or 300000"],
    ['tokens.leeway', 10, "for 10 seconds write '10s' or 10000"],
  ])('%s=%d, meant as seconds, is refused: numbers are milliseconds', (path, value, advice) => {
    expect(problemsOf(nest(path, value))[path]).toContain(`the number ${value} is milliseconds: ${advice}`);
  });

  it('is refused for every option', () => {
    const wrong = pathsOf(new AuthOptions()).filter(
      (path) => Object.keys(problemsOf(nest(path, Symbol('nothing that can be set')))).join() !== path,
    );
    expect(wrong).toEqual([]);
  });

  it.each([
    ['an unknown option', { tokens: { accessTTL: '5m' } }, 'tokens.accessTTL'],
    ['a misspelt option', { sessions: { refreshTl: '5m' } }, 'sessions.refreshTl'],
    ['an unknown group', { token: { accessTtl: '5m' } }, 'token'],
    ['an option outside its group', { accessTtl: '5m' }, 'accessTtl'],
    ['a group within a group', { cookies: { csrf: {} } }, 'cookies.csrf'],
  ])('is reported: %s', (_, given, option) => {
    expect(problemsOf(given)).toEqual({ [option]: 'is not an option' });
  });

  it.each(['tokens', 'sessions', 'locations', 'cookies', 'csrf'])(
    'is a group %s that is not an object',
    (group) => {
      for (const value of [null, 'x', 5, true, [], [{}]]) {
        const problems = problemsOf({ [group]: value });
        expect({ value, options: Object.keys(problems) }).toEqual({ value, options: [group] });
        expect(problems[group]).toContain('must be an object');
      }
    },
  );

  it('is reported together with all others, one line each', () => {
    const given = {
      token: {},
      tokens: { accessTtl: 0, issuer: '' },
      cookies: { sameSite: 'no' },
      registration: 'maybe',
      keys: null,
    };
    const options = [
      'token',
      'tokens.accessTtl',
      'tokens.issuer',
      'cookies.sameSite',
      'registration',
      'keys',
    ];
    expect(Object.keys(problemsOf(given)).toSorted()).toEqual(options.toSorted());
    try {
      resolve(given);
    } catch (error) {
      expect((error as Error).message.split('\n')).toHaveLength(options.length);
    }
  });
});

describe('the keys', () => {
  it.each([undefined, null, 'keys.json', 5])('are required, and not accepted as %p', (keys) => {
    expect(problemsOf({ keys })).toEqual({ keys: 'must be given' });
  });

  it.each([undefined, null])('are required also if the options are %p', (given) => {
    expect(() => resolveOptions(given as unknown as AuthModuleOptions)).toThrow(AuthOptionsError);
    expect(() => resolveOptions(given as unknown as AuthModuleOptions)).toThrow('keys: must be given');
  });
});

describe('options that contradict each other', () => {
  const PREFIX = '__Host-';
  it.each<[string, object, Record<string, string>]>([
    [
      'an access token that would outlive its session',
      { tokens: { accessTtl: '2h' }, sessions: { sessionTtl: '1h' } },
      { 'tokens.accessTtl': '2h is longer than sessions.sessionTtl (1h); no token outlives its session' },
    ],
    [
      'a refresh token that would outlive its session',
      { sessions: { sessionTtl: '1h', refreshTtl: '2h' } },
      { 'sessions.refreshTtl': '2h is longer than sessions.sessionTtl (1h)' },
    ],
    ['__Host- with a path', { cookies: { accessPath: '/api' } }, { 'cookies.accessName': PREFIX }],
    ['__Host- with the other path', { cookies: { refreshPath: '/auth' } }, { 'cookies.refreshName': PREFIX }],
    [
      '__Host- with a domain',
      { cookies: { domain: 'example.com' } },
      {
        'cookies.accessName': PREFIX,
        'cookies.refreshName': PREFIX,
        'cookies.deviceName': PREFIX,
        'csrf.cookieName': PREFIX,
      },
    ],
    [
      '__Host- chosen without secure, in any case of letters',
      { cookies: { secure: false, accessName: '__HOST-a' } },
      { 'cookies.accessName': 'without secure' },
    ],
    [
      '__Secure- chosen without secure',
      { cookies: { secure: false, refreshName: '__Secure-r' }, csrf: { cookieName: '__secure-c' } },
      { 'cookies.refreshName': '__Secure-', 'csrf.cookieName': '__Secure-' },
    ],
    [
      'two cookies of one name',
      { cookies: { accessName: 'token', refreshName: 'token' } },
      { 'cookies.accessName': 'another cookie', 'cookies.refreshName': 'another cookie' },
    ],
    [
      'sameSite none without secure',
      { cookies: { secure: false, sameSite: 'none' } },
      { 'cookies.sameSite': 'without cookies.secure' },
    ],
    [
      'partitioned without secure',
      { cookies: { secure: false, partitioned: true } },
      { 'cookies.partitioned': 'without cookies.secure' },
    ],
    [
      'one name for both kinds of token',
      { locations: { accessName: 'token', refreshName: 'token' } },
      { 'locations.refreshName': 'must differ from locations.accessName' },
    ],
    [
      'several at once',
      {
        tokens: { accessTtl: '2h' },
        sessions: { sessionTtl: '1h' },
        cookies: { secure: false, sameSite: 'none', partitioned: true },
        locations: { accessName: 'refresh_token' },
      },
      {
        'tokens.accessTtl': 'longer than',
        'cookies.sameSite': 'secure',
        'cookies.partitioned': 'secure',
        'locations.refreshName': 'must differ',
      },
    ],
  ])('%s', (_, given, expected) => {
    const problems = problemsOf(given);
    expect(Object.keys(problems).toSorted()).toEqual(Object.keys(expected).toSorted());
    for (const [option, text] of Object.entries(expected)) expect(problems[option]).toContain(text);
  });

  it.each<[string, object]>([
    [
      'lifetimes as long as the session',
      { tokens: { accessTtl: '1h' }, sessions: { sessionTtl: '1h', refreshTtl: '1h' } },
    ],
    [
      '__Secure- with a domain and a path',
      {
        cookies: {
          domain: 'example.com',
          accessName: '__Secure-a',
          refreshName: '__Secure-r',
          deviceName: '__Secure-d',
          refreshPath: '/auth',
        },
        csrf: { cookieName: '__Secure-c' },
      },
    ],
    ['sameSite none with secure', { cookies: { sameSite: 'none', partitioned: true } }],
    ['no leeway and no grace', { tokens: { leeway: 0 }, sessions: { refreshGrace: '0s' } }],
    [
      'names that differ in case alone: cookies know the difference',
      { cookies: { accessName: 'token', refreshName: 'Token' } },
    ],
  ])('do not: %s', (_, given) => {
    expect(problemsOf(given)).toEqual({});
  });
});

describe.each(['fastify', 'express'] as const)('an application with wrong options [%s]', (adapter) => {
  /** Creates it as `main.ts` does. */
  async function create(auth: object): Promise<unknown> {
    @Module({ imports: [DatabaseModule.forRoot(openDatabase(':memory:')), auth as never] })
    class WrongModule {}
    return NestFactory.create(WrongModule, await createNamedAdapter(adapter), {
      logger: false,
      abortOnError: false,
    }).then(
      (app) => app.close().then(() => 'started'),
      (error: unknown) => error,
    );
  }

  it('does not start, and its creation fails with an error that lists every problem', async () => {
    const wrong = { ...KEYS, tokens: { accessTtl: 0 }, cookies: { sameSite: 'no' } } as never;
    const forms = [AuthModule.forRoot(wrong), AuthModule.forRootAsync({ useFactory: () => wrong })];
    for (const form of forms) {
      const error = await create(form);
      expect(error).toBeInstanceOf(AuthOptionsError);
      const { problems } = error as AuthOptionsError;
      expect(problems.map(({ option }) => option)).toEqual(['tokens.accessTtl', 'cookies.sameSite']);
    }
  });

  it('does not start if a factory returns no options', async () => {
    const error = await create(AuthModule.forRootAsync({ useFactory: () => undefined as never }));
    expect(error).toBeInstanceOf(AuthOptionsError);
  });

  it('starts once they are right', async () => {
    expect(await create(AuthModule.forRoot({ keys: generateKeySet() }))).toBe('started');
  });
});
