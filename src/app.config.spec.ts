import { describe, expect, it } from '@jest/globals';
import { OPTIONS, loadConfig, VARIABLES } from './app.config.js';
import { ConfigError } from './config/config.js';
import { ServerOptions } from './config/server-options.js';
import { variablesOf } from './config/from-env.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const DAY = 86_400 * SECOND;
const WEEK = 7 * DAY;

const DEFAULTS: Record<string, unknown> = {
  NODE_ENV: 'development',
  HOST: '127.0.0.1',
  PORT: 3000,
  LOG_LEVEL: 'info',
  METRICS_PORT: undefined,
  METRICS_HOST: '127.0.0.1',
  DATABASE_URL: 'file:./data/freshgate.db',
  DATABASE_POOL: 10,
  SHUTDOWN_DRAIN: 0,
  AUTH_ISSUER: 'freshgate',
  AUTH_AUDIENCE: ['freshgate'],
  AUTH_KEYS_FILE: './data/keys.json',
  ACCESS_TOKEN_TTL: 15 * MINUTE,
  REFRESH_TOKEN_TTL: 14 * DAY,
  SESSION_TTL: 30 * DAY,
  FRESH_MAX_AGE: 15 * MINUTE,
  REFRESH_GRACE: 10 * SECOND,
  REVOCATION_MAX_STALENESS: MINUTE,
  TOKEN_LOCATIONS: ['header'],
  CORS_ORIGINS: [],
  TRUSTED_PROXIES: [],
  OPENAPI: undefined,
  PAGES: 'on',
  APP_URL: undefined,
  LOGIN_NAME: 'username',
  MAIL_NOTICES_OFF: [],
  SMTP_URL: undefined,
  MAIL_FROM: undefined,
  AUDIT_RETENTION: 400 * DAY,
  PASSWORD_MIN_LENGTH: 8,
  REGISTRATION: 'open',
  // example:begin
  TRANSFERS_OPENING_BALANCE: 100_000,
  // example:end
};
const NAMES = VARIABLES.map(({ name }) => name);

/** Every variable's value, read where the application reads it. */
function values(env: Record<string, string | undefined>): Record<string, unknown> {
  const config = loadConfig(env);
  return Object.fromEntries(
    OPTIONS.flatMap((type) =>
      variablesOf(type).map(({ name, option }) => [
        name,
        option.split('.').reduce<unknown>((group, member) => (group as never)[member], config.get(type)),
      ]),
    ),
  );
}

function problems(env: Record<string, string | undefined>): ConfigError['problems'] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

const texts = (good: string[]): [string, unknown][] => good.map((text) => [text, text]);
/** Values that others need: the longest session, so that no lifetime contradicts it, and a sender of mails. */
const LONG = { SESSION_TTL: '100w', MAIL_FROM: 'dogs@app.example' };

const GOOD: Record<string, [text: string, value: unknown][]> = {
  APP_URL: texts(['https://app.example', 'http://localhost:3000', 'https://app.example/dogs']),
  LOGIN_NAME: texts(['username', 'email']),
  MAIL_NOTICES_OFF: [
    ['new_device', ['new_device']],
    ['token_reused, password_reset', ['token_reused', 'password_reset']],
  ],
  SMTP_URL: texts(['smtp://localhost:25', 'smtps://a%40b.example:pass@mail.example']),
  MAIL_FROM: texts(['dogs@app.example', 'Dogs <dogs@app.example>']),
  NODE_ENV: texts(['production', 'development', 'test']),
  HOST: texts(['0.0.0.0', '::1', 'auth.example']),
  PORT: [
    ['0', 0],
    ['80', 80],
    ['65535', 65_535],
  ],
  LOG_LEVEL: texts(['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace']),
  METRICS_PORT: [
    ['0', 0],
    ['9464', 9464],
  ],
  METRICS_HOST: texts(['0.0.0.0', '::1', 'metrics.example']),
  DATABASE_POOL: [
    ['1', 1],
    ['1000', 1000],
  ],
  SHUTDOWN_DRAIN: [
    ['0s', 0],
    ['10m', 10 * MINUTE],
  ],
  DATABASE_URL: texts([
    ':memory:',
    'file:/var/lib/x.db',
    'postgres://user:password@host:5432/name?sslmode=require',
  ]),
  AUTH_ISSUER: texts(['https://auth.example', 'freshgate-2']),
  AUTH_AUDIENCE: [
    ['https://api.example/', ['https://api.example/']],
    ['api, mobile', ['api', 'mobile']],
  ],
  AUTH_KEYS_FILE: texts(['/run/secrets/keys.json', 'keys.json']),
  ACCESS_TOKEN_TTL: [
    ['1s', SECOND],
    ['5m', 5 * MINUTE],
    ['100w', 100 * WEEK],
  ],
  REFRESH_TOKEN_TTL: [
    ['1s', SECOND],
    ['2d 3h 15m', 2 * DAY + 195 * MINUTE],
    ['100w', 100 * WEEK],
  ],
  SESSION_TTL: [
    ['1s', SECOND],
    ['100w', 100 * WEEK],
  ],
  FRESH_MAX_AGE: [
    ['1s', SECOND],
    ['100w', 100 * WEEK],
  ],
  REFRESH_GRACE: [
    ['0s', 0],
    ['30s', 30 * SECOND],
    ['1m', MINUTE],
  ],
  REVOCATION_MAX_STALENESS: [
    ['5s', 5 * SECOND],
    ['100w', 100 * WEEK],
  ],
  TOKEN_LOCATIONS: [
    ['header', ['header']],
    [' header ', ['header']],
  ],
  CORS_ORIGINS: [
    ['https://app.example.com', ['https://app.example.com']],
    ['http://localhost:5173 , https://b.example', ['http://localhost:5173', 'https://b.example']],
    ['http://[::1]:8080', ['http://[::1]:8080']],
    ['capacitor://localhost,ionic://localhost', ['capacitor://localhost', 'ionic://localhost']],
    ['tauri://localhost', ['tauri://localhost']],
    ['app://example.desktop', ['app://example.desktop']],
    [
      'chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai',
      ['chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai'],
    ],
  ],
  TRUSTED_PROXIES: [
    ['127.0.0.1', ['127.0.0.1']],
    ['10.0.0.0/8 , ::1', ['10.0.0.0/8', '::1']],
    ['2001:db8::/32', ['2001:db8::/32']],
    ['10.1.2.3/32,fd00::1/128', ['10.1.2.3/32', 'fd00::1/128']],
  ],
  PASSWORD_MIN_LENGTH: [
    ['8', 8],
    ['64', 64],
  ],
  REGISTRATION: texts(['open', 'closed']),
  OPENAPI: texts(['on', 'off']),
  PAGES: texts(['on', 'off']),
  AUDIT_RETENTION: [
    ['1d', DAY],
    ['400d', 400 * DAY],
  ],
  // example:begin
  TRANSFERS_OPENING_BALANCE: [
    ['0', 0],
    ['1000000000000', 1e12],
  ],
  // example:end
};

const NO_DURATION = ['0', '15', '15 m', '-5m', '1.5h', '5M', 'soon', '15m;', '101w', '99999w'];
const NO_NUMBER = ['-1', '1e3', '0x10', ' 80', '80 ', '80.0', '8_0', '+80', 'eighty', 'NaN', 'Infinity'];
const BAD: Record<string, string[]> = {
  NODE_ENV: ['prod', 'Production', 'staging', ' test'],
  PORT: [...NO_NUMBER, '65536', '99999999999999999999'],
  LOG_LEVEL: ['INFO', 'verbose', 'warning', '30', ' info'],
  METRICS_PORT: [...NO_NUMBER, '65536'],
  METRICS_HOST: [' '],
  DATABASE_POOL: [...NO_NUMBER, '0', '1001'],
  SHUTDOWN_DRAIN: [...NO_DURATION, '11m'],
  ACCESS_TOKEN_TTL: [...NO_DURATION, '0s'],
  REFRESH_TOKEN_TTL: [...NO_DURATION, '0s'],
  SESSION_TTL: [...NO_DURATION, '0s'],
  FRESH_MAX_AGE: [...NO_DURATION, '0s'],
  REFRESH_GRACE: [...NO_DURATION, '61s', '2m'],
  REVOCATION_MAX_STALENESS: [...NO_DURATION, '0s', '4s'],
  TOKEN_LOCATIONS: [',', 'header,header', 'Header', 'headers', 'header;header', 'session', 'header,nowhere'],
  HOST: [' '],
  AUTH_ISSUER: [' '],
  CORS_ORIGINS: [
    'https://*.example.com',
    '*',
    'null',
    'app.example.com',
    'https://app.example.com/',
    'https://app.example.com/path',
    'https://APP.example.com',
    'https://app.example.com:443',
    'https://user@app.example.com',
    'https://app.example.com https://b.example',
    'ftp://app.example.com',
    'file://localhost',
    'ws://app.example.com',
    'capacitor://localhost/',
    'capacitor://',
    'capacitor:localhost',
    'app://*',
    'app://user@name',
    'app://a b',
    'localhost:5173',
    'https://',
    'https://good.example,https://bad.example/',
  ],
  TRUSTED_PROXIES: [
    'loopback',
    'true',
    '1',
    '*',
    'proxy.example',
    '127.1',
    '010.0.0.1',
    '0x7f.0.0.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '10.0.0.0/255.0.0.0',
    '10.0.0.0/-1',
    '::1/129',
    'fe80::1%eth0',
    '[::1]',
    '127.0.0.1:80',
    '10.0.0.1 10.0.0.2',
    '10.0.0.1,nonsense',
    '0.0.0.0/0',
    '::/0',
    '::ffff:0:0/96',
  ],
  PASSWORD_MIN_LENGTH: [...NO_NUMBER, '7', '65'],
  REGISTRATION: ['Open', 'yes', 'true', 'invite'],
  OPENAPI: ['On', 'true', '1', 'production'],
  PAGES: ['On', 'true', '1', 'no'],
  APP_URL: [
    'app.example',
    'ftp://app.example',
    'https://app.example/',
    'https://app.example?a=b',
    'https://app.example#a',
    'https://a:b@app.example',
    'HTTPS://APP.example',
  ],
  LOGIN_NAME: ['Email', 'e-mail', 'both'],
  MAIL_NOTICES_OFF: ['all', 'new_device,new_device'],
  MAIL_FROM: ['Dogs', 'a@b', 'a@app.example,b@app.example', 'Dogs <a@app.example', '"Dogs" <a@app.example>'],
  AUDIT_RETENTION: [...NO_DURATION, '23h'],
  AUTH_AUDIENCE: [',', ' '],
  // example:begin
  TRANSFERS_OPENING_BALANCE: [...NO_NUMBER, '1000000000001', '9007199254740993'],
  // example:end
};

const rowsOf = <T>(table: Record<string, T[]>) =>
  NAMES.flatMap((variable) => (table[variable] ?? []).map((item) => [variable, item] as const));

describe('loadConfig', () => {
  it('gives the documented defaults', () => {
    expect(values({})).toEqual(DEFAULTS);
  });

  it('is tested with a valid value of every variable', () => {
    expect(Object.keys(GOOD).toSorted()).toEqual(NAMES.toSorted());
  });

  it('treats an empty variable as unset', () => {
    const empty = Object.fromEntries(NAMES.map((variable) => [variable, '']));
    expect(values(empty)).toEqual(DEFAULTS);
  });

  it('treats an undefined variable as unset', () => {
    expect(values({ PORT: undefined, SESSION_TTL: undefined })).toEqual(DEFAULTS);
  });

  it('ignores unknown variables, also those named like members of every object', () => {
    const env = { PATH: '/bin', port: '1', PORT_: '2', constructor: 'x', toString: 'x' };
    expect(values(env)).toEqual(DEFAULTS);
  });

  it('returns frozen options', () => {
    const { server } = loadConfig({});
    expect(() => Object.assign(server, { port: 1 })).toThrow(TypeError);
    expect(() => (server.corsOrigins as string[]).push('*')).toThrow(TypeError);
  });

  it('returns new lists to every caller', () => {
    expect(loadConfig({}).server.corsOrigins).not.toBe(loadConfig({}).server.corsOrigins);
  });

  it('leaves the environment as it was', () => {
    const env = { PORT: '80', CORS_ORIGINS: 'https://a.example' };
    loadConfig(env);
    expect(env).toEqual({ PORT: '80', CORS_ORIGINS: 'https://a.example' });
  });

  it.each(rowsOf(GOOD).map(([variable, [text, value]]) => [variable, text, value] as const))(
    'reads %s="%s"',
    (variable, text, value) => {
      expect(values({ ...LONG, [variable]: text })[variable]).toEqual(value);
    },
  );

  it.each(rowsOf(BAD))('refuses %s="%s", and names it', (variable, text) => {
    expect(problems({ ...LONG, [variable]: text })).toEqual([
      { variable, problem: expect.stringMatching(/^must .+ \(it is "|^"[^]*" is not a valid /) },
    ]);
  });

  it.each(['mail.example', 'http://mail.example', 'smtp://user:100%secret@mail.example'])(
    'refuses SMTP_URL="%s" without repeating it, because it may hold a password',
    (url) => {
      expect(problems({ ...LONG, SMTP_URL: url })).toEqual([
        {
          variable: 'SMTP_URL',
          problem:
            'must be smtp://USER:PASSWORD@HOST:PORT or smtps://…, with reserved characters percent-encoded',
        },
      ]);
    },
  );

  it('requires MAIL_FROM with SMTP_URL', () => {
    expect(problems({ SMTP_URL: 'smtp://mail.example' })).toEqual([
      { variable: 'MAIL_FROM', problem: expect.stringContaining('SMTP_URL') },
    ]);
  });

  it.each([
    ['PORT', 'http', 'PORT: must be a whole number from 0 to 65535 (it is "http")'],
    ['REGISTRATION', 'on', 'REGISTRATION: must be one of open, closed (it is "on")'],
    [
      'REFRESH_GRACE',
      '5 m',
      'REFRESH_GRACE: must be a duration from 0s to 1m, like 30s, 5m, 1h, 1d, 2w or "2d 3h 15m" (it is "5 m")',
    ],
    [
      'CORS_ORIGINS',
      'https://a.example,*',
      'CORS_ORIGINS: "*" is not a valid origin (expected https://app.example)',
    ],
  ])('says what %s must be', (variable, text, message) => {
    expect(() => loadConfig({ [variable]: text })).toThrow(ConfigError);
    expect(() => loadConfig({ [variable]: text })).toThrow(message);
  });

  it('reports all problems at once, a line for each', () => {
    const env = { PORT: 'x', ACCESS_TOKEN_TTL: 'x', CORS_ORIGINS: '*', REGISTRATION: 'x', HOST: 'fine' };
    expect(
      problems(env)
        .map(({ variable }) => variable)
        .toSorted(),
    ).toEqual(['ACCESS_TOKEN_TTL', 'CORS_ORIGINS', 'PORT', 'REGISTRATION']);
    expect(new ConfigError(problems(env)).message.split('\n')).toHaveLength(4);
  });

  it('never shows the value of DATABASE_URL, whatever else is wrong', () => {
    const everythingWrong = Object.fromEntries(rowsOf(BAD));
    const found = problems({ ...everythingWrong, DATABASE_URL: 'postgres://user:hunter2@db.example/name' });
    expect(found).toHaveLength(Object.keys(BAD).length);
    expect(new ConfigError(found).message).not.toMatch(/hunter2|db\.example/);
  });
});

describe('loadConfig, where variables contradict each other', () => {
  it.each([
    ['ACCESS_TOKEN_TTL', '2h', '1h', '2h is longer than SESSION_TTL (1h); no token outlives its session'],
    ['REFRESH_TOKEN_TTL', '2h', '1h', '2h is longer than SESSION_TTL (1h); no token outlives its session'],
    [
      'REFRESH_TOKEN_TTL',
      '31d',
      '',
      '4w 3d is longer than SESSION_TTL (4w 2d); no token outlives its session',
    ],
    ['ACCESS_TOKEN_TTL', '61s', '1m', '1m 1s is longer than SESSION_TTL (1m); no token outlives its session'],
  ])('refuses %s=%s with SESSION_TTL="%s"', (variable, life, SESSION_TTL, problem) => {
    expect(problems({ [variable]: life, SESSION_TTL })).toEqual([{ variable, problem }]);
  });

  it('reports both lifetimes that are longer than the session', () => {
    const env = { ACCESS_TOKEN_TTL: '2d', REFRESH_TOKEN_TTL: '3d', SESSION_TTL: '1d' };
    expect(problems(env).map(({ variable }) => variable)).toEqual(['ACCESS_TOKEN_TTL', 'REFRESH_TOKEN_TTL']);
  });

  it('accepts lifetimes as long as the session', () => {
    expect(problems({ ACCESS_TOKEN_TTL: '1h', REFRESH_TOKEN_TTL: '1h', SESSION_TTL: '1h' })).toEqual([]);
  });

  it('accepts a SESSION_TTL shorter than the default lifetimes, and cuts these to it', () => {
    expect(problems({ SESSION_TTL: '1m' })).toEqual([]);
  });
});

describe('loadConfig, where a variable looks misspelt', () => {
  it.each([
    ['ACESS_TOKEN_TTL', 'ACCESS_TOKEN_TTL'],
    ['CORS_ORIGIN', 'CORS_ORIGINS'],
    ['DATABSE_URL', 'DATABASE_URL'],
    ['TRUSTED_PROXYS', 'TRUSTED_PROXIES'],
    ['PORT_', 'PORT'],
  ])('warns of %s and names %s', (name, meant) => {
    const { warnings } = loadConfig({ [name]: '1s' });
    expect(warnings).toEqual([`${name} is not a variable of freshgate; did you mean ${meant}?`]);
  });

  it('does not warn of other variables', () => {
    const others = [
      'HOME',
      'PATH',
      'HOSTNAME',
      'PWD',
      'POSTGRES_URL',
      'AUTH_TOKEN',
      'npm_config_port',
      'TERM',
    ];
    expect(loadConfig(Object.fromEntries(others.map((name) => [name, 'x']))).warnings).toEqual([]);
  });
});

describe('OPENAPI', () => {
  it.each([
    [{}, true],
    [{ NODE_ENV: 'production' }, false],
    [{ NODE_ENV: 'production', OPENAPI: 'on' }, true],
    [{ OPENAPI: 'off' }, false],
  ])('with %j: served? %s', (env, served) => {
    expect(loadConfig(env).server.servesOpenApi).toBe(served);
  });
});

describe('the options of features', () => {
  it('are read by class, and only for the listed classes', () => {
    class Unlisted {}
    const config = loadConfig({ HOST: '::1' });
    expect(config.get(ServerOptions).host).toBe('::1');
    expect(() => config.get(Unlisted)).toThrow('Unlisted is not read from the environment');
  });
});
