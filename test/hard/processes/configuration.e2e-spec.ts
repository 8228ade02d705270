import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { loadConfig } from '../../../src/app.config.js';
import { startWarnings } from '../../../src/app.module.js';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { POSTGRES_URL } from '../../support/engines.js';
import {
  builtFile,
  DEFAULTS,
  launch,
  type LaunchOptions,
  makeFolder,
  type ServerProcess,
  start,
} from '../../support/server-process.js';

const SECRET = 'hunter2-and-more';
const MEMORY = { DATABASE_URL: ':memory:' };
/** The process that tries starts. */
const TRIED_STARTS = join(import.meta.dirname, '../../support/tried-starts.mjs');

interface Refusal {
  errors: string;
  folder: string;
}

/**
 * Starts that must not succeed: declared beside their tests, tried while other tests run. One process tries them all, since
 * loading the server is most of a start; `main.js` itself is asked for one of each kind.
 */
class RefusedStarts {
  private readonly declared = new Map<string, () => LaunchOptions>();
  private readonly outcomes = new Map<string, Promise<Refusal>>();
  private readonly over = new AbortController();
  /** All that was logged meanwhile. */
  log = '';

  declare(name: string, options: () => LaunchOptions): void {
    this.declared.set(name, options);
  }

  begin(): void {
    const { signal } = this.over;
    const child = fork(TRIED_STARTS, [builtFile('main.js')], { silent: true, signal, killSignal: 'SIGKILL' });
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (this.log += text));
    child.on('error', () => {});
    child.once('exit', () => this.over.abort());
    let last: Promise<unknown> = once(child, 'message', { signal });
    for (const [name, options] of this.declared) {
      const outcome = last.then(() => this.try(child, options()));
      outcome.catch(() => {});
      last = outcome;
      this.outcomes.set(name, outcome);
    }
  }

  async of(name: string): Promise<Refusal> {
    return this.outcomes.get(name)!;
  }

  async all(): Promise<Refusal[]> {
    return Promise.all(this.outcomes.values());
  }

  /** The same start by `main.js`, in a process of its own. */
  async asProcess(name: string): Promise<ServerProcess> {
    const server = launch(this.declared.get(name)!());
    // One that listens has not been refused; it would run for ever.
    void server.listening.then(
      () => server.kill9(),
      () => {},
    );
    await server.exit;
    return server;
  }

  end(): void {
    this.over.abort();
  }

  private async try(child: ChildProcess, options: LaunchOptions): Promise<Refusal> {
    const { PATH = '', HOME = '' } = process.env;
    const { env, folder = makeFolder() } = options;
    const answer = once(child, 'message', { signal: this.over.signal });
    child.send({ env: { PATH, HOME, PORT: '0', ...env }, folder });
    const [errors] = (await answer) as [string | null];
    return { errors: errors ?? 'it listens', folder };
  }
}

const starts = new RefusedStarts();
const taken = createServer();

beforeAll(async () => {
  await once(taken.listen(0, '127.0.0.1'), 'listening');
  starts.begin();
});
afterAll(() => {
  starts.end();
  taken.close();
});

/** The operator reads what is wrong, under the name that was set: no stack trace, no secret, no half start. */
function expectRefusal({ errors }: Refusal, variable: string, advice: RegExp): void {
  expect(errors).toMatch(new RegExp(`^ {2}${variable}: .*(${advice.source})`, 'm'));
  expect(errors).not.toMatch(/^\s+at .*:\d+/m);
  expect(errors).not.toContain(SECRET);
}

/** A good key file, changed by `change`, in a folder of its own. */
function folderWithKeys(change: (text: string) => string = (text) => text): string {
  const folder = makeFolder();
  writeFileSync(join(folder, 'keys.json'), change(JSON.stringify(generateKeySet(), null, 2)), {
    mode: 0o600,
  });
  return folder;
}

describe('a start that needs no setting', () => {
  it('makes the key file, for its owner only, and the database, and keeps both at the next start', async () => {
    const first = await start({ env: DEFAULTS });
    expect(readdirSync(first.folder)).toEqual(['data']);
    expect(readdirSync(join(first.folder, 'data'))).toEqual(
      expect.arrayContaining(['freshgate.db', 'keys.json']),
    );
    expect(first.output).not.toContain('metrics on');
    const keysFile = join(first.folder, 'data/keys.json');
    expect(statSync(keysFile).mode & 0o777).toBe(0o600);
    const keys = readFileSync(keysFile, 'utf8');
    const account = { username: 'laika', password: 'space-corgi' };
    expect((await first.request('POST', '/auth/register', { body: account })).status).toBe(201);
    await first.stop();

    const second = await start({ folder: first.folder, env: DEFAULTS });
    expect(readFileSync(keysFile, 'utf8')).toBe(keys);
    expect((await second.request('POST', '/auth/login', { body: account })).status).toBe(200);
    await second.stop();
  });
});

describe('production', () => {
  it('starts with the key file that it was given, and does not change it', async () => {
    const folder = folderWithKeys();
    const before = readFileSync(join(folder, 'keys.json'), 'utf8');
    const env = {
      ...MEMORY,
      NODE_ENV: 'production',
      APP_URL: 'https://app.example',
      AUTH_KEYS_FILE: './keys.json',
    };
    const server = await start({ folder, env });
    const { body } = await server.request<{ keys: { kid: string }[] }>('GET', '/.well-known/jwks.json');
    const { keys } = JSON.parse(before) as { keys: { kid: string; alg: string }[] };
    expect(body.keys.map(({ kid }) => kid)).toEqual([keys.find(({ alg }) => alg === 'ES256')?.kid]);
    expect(readFileSync(join(folder, 'keys.json'), 'utf8')).toBe(before);
    // TLS ends at a proxy there; on plain HTTP elsewhere it would lock developers out, see test/http.
    const { headers } = await fetch(`${server.url}/health/live`);
    expect(headers.get('strict-transport-security')).toBe('max-age=31536000; includeSubDomains');
    expect(server.output).not.toContain('others can read');
    await server.stop();
  });
});

describe('the announcement of a start', () => {
  it.each([
    [
      '0.0.0.0',
      /listening on http:\/\/0\.0\.0\.0:(\d+) \(every network interface\), pages at http:\/\/localhost:\1, API documentation at http:\/\/localhost:\1\/docs/,
    ],
    [
      '127.0.0.1',
      /listening on http:\/\/127\.0\.0\.1:(\d+), pages at http:\/\/localhost:\1, API documentation at http:\/\/localhost:\1\/docs/,
    ],
  ])(
    'names the address that is listened on, and a URL that a browser can open: HOST=%s',
    async (HOST, text) => {
      const server = await start({ env: { ...MEMORY, ...DEFAULTS, HOST } });
      expect(server.output).toMatch(text);
      expect(server.output).not.toContain('tokens are in cookies');
      const { headers } = await fetch(`http://127.0.0.1:${new URL(server.url).port}/health/live`);
      expect(headers.has('strict-transport-security')).toBe(false);
      await server.stop();
    },
  );
});

describe('a warning at the start', () => {
  it('names a variable that looks misspelt, and the one that is meant', async () => {
    const server = await start({ env: { ...MEMORY, ACESS_TOKEN_TTL: '1s' } });
    expect(server.output).toMatch(/ACESS_TOKEN_TTL is not a variable .* did you mean ACCESS_TOKEN_TTL\?/);
    await server.stop();
  });

  it.each([
    ['0644', '0644'],
    ['0640', '0640'],
    ['0600', undefined],
  ])('names a key file that others can read and its mode, in production: %s', (mode, named) => {
    const path = join(folderWithKeys(), 'keys.json');
    chmodSync(path, mode);
    const env = { NODE_ENV: 'production', APP_URL: 'https://app.example', AUTH_KEYS_FILE: path };
    const warnings = startWarnings(loadConfig(env));
    expect(warnings).toEqual(
      named === undefined ? [] : [expect.stringContaining(`others can read ${path} (mode ${named})`)],
    );
  });
});

const DURATION = /must be a duration from .+, like 30s, 5m, 1h, 1d, 2w/;
const ORIGIN = /is not a valid origin \(expected https:\/\/app\.example\)/;
// example:begin
const AMOUNT = /must be a whole number from 0 to 1000000000000/;
// example:end
const PORT = /must be a whole number from 0 to 65535/;

/** Values that are wrong in themselves: all of a row are in one environment, and are to be told at once. */
const WRONG_VALUES: [variable: string, advice: RegExp, values: [string, string]][] = [
  ['NODE_ENV', /production, development, test/, ['prod', 'Production']],
  ['PORT', PORT, ['http', '65536']],
  ['LOG_LEVEL', /silent, fatal, error, warn, info, debug, trace/, ['INFO', 'verbose']],
  ['METRICS_PORT', PORT, ['metrics', '65536']],
  ['ACCESS_TOKEN_TTL', DURATION, ['15', '15 minutes']],
  ['REFRESH_TOKEN_TTL', DURATION, ['forever', '101w']],
  ['SESSION_TTL', DURATION, ['0s', '-1d']],
  ['FRESH_MAX_AGE', DURATION, ['1.5h', '5m 1h']],
  ['REFRESH_GRACE', DURATION, ['2m', '10']],
  ['REVOCATION_MAX_STALENESS', DURATION, ['1s', 'never']],
  ['TOKEN_LOCATIONS', /header/, ['carrier-pigeon', 'header,carrier-pigeon']],
  ['CORS_ORIGINS', ORIGIN, ['*', 'https://app.example.com/']],
  ['OPENAPI', /must be one of on, off/, ['yes', 'ON']],
  ['REGISTRATION', /must be one of open, closed/, ['maybe', 'OPEN']],
  // example:begin
  ['TRANSFERS_OPENING_BALANCE', AMOUNT, ['12.50', '1000000000001']],
  // example:end
];

describe('a setting that is wrong', () => {
  for (const i of [0, 1] as const) {
    const env = Object.fromEntries(WRONG_VALUES.map(([variable, , values]) => [variable, values[i]]));
    starts.declare(`values ${i}`, () => ({ env }));
  }
  starts.declare('contradictions', () => ({ env: { ACCESS_TOKEN_TTL: '31d', REFRESH_TOKEN_TTL: '5w' } }));

  const cases = WRONG_VALUES.flatMap(([variable, advice, values]) =>
    values.map((value, i) => ({ variable, advice, value, batch: `values ${i}` })),
  );
  it.each(cases)('$variable=$value stops the start', async ({ variable, advice, value, batch }) => {
    const refusal = await starts.of(batch);
    expectRefusal(refusal, variable, advice);
    expect(refusal.errors).toContain(value);
  });

  it('is reported together with all other wrong settings', async () => {
    const { errors } = await starts.of('values 0');
    expect(
      errors
        .match(/^ {2}[A-Z_]+(?=: )/gm)
        ?.map((name) => name.trim())
        .toSorted(),
    ).toEqual(WRONG_VALUES.map(([variable]) => variable).toSorted());
  });

  it('leaves no key file and no database behind', async () => {
    expect(readdirSync((await starts.of('values 0')).folder)).toEqual([]);
  });

  it.each([
    { variable: 'ACCESS_TOKEN_TTL', advice: /4w 3d is longer than SESSION_TTL/ },
    { variable: 'REFRESH_TOKEN_TTL', advice: /5w is longer than SESSION_TTL/ },
  ])('may contradict another: $variable', async ({ variable, advice }) => {
    expectRefusal(await starts.of('contradictions'), variable, advice);
  });
});

describe('an address that cannot be listened on', () => {
  starts.declare('taken', () => {
    const { port } = taken.address() as AddressInfo;
    return { env: { ...MEMORY, PORT: String(port) } };
  });
  starts.declare('foreign', () => ({ env: { ...MEMORY, HOST: '192.0.2.1' } }));
  starts.declare('unknown', () => ({ env: { ...MEMORY, HOST: 'no-such-host.invalid' } }));
  starts.declare('taken by other metrics', () => {
    const { port } = taken.address() as AddressInfo;
    return { env: { ...MEMORY, METRICS_PORT: String(port) } };
  });
  starts.declare('foreign for metrics', () => ({
    env: { ...MEMORY, METRICS_PORT: '0', METRICS_HOST: '192.0.2.1' },
  }));

  it('stops the start: a port that another process has', async () => {
    expectRefusal(await starts.of('taken'), 'PORT', /in use/);
  });

  it('stops the start: an address that is not of this machine', async () => {
    expectRefusal(await starts.of('foreign'), 'HOST', /192\.0\.2\.1/);
  });

  it('stops the start: an unknown host name', async () => {
    expectRefusal(await starts.of('unknown'), 'HOST', /no-such-host\.invalid/);
  });

  it('stops the start: a port or an address of the metrics', async () => {
    expectRefusal(await starts.of('taken by other metrics'), 'METRICS_PORT', /in use/);
    expectRefusal(await starts.of('foreign for metrics'), 'METRICS_HOST', /192\.0\.2\.1/);
  });
});

describe('a DATABASE_URL that cannot be honoured', () => {
  const postgres = process.env[POSTGRES_URL];
  const itOnPostgres = postgres === undefined ? it.skip : it;
  const declare = (name: string, url: string) => starts.declare(name, () => ({ env: { DATABASE_URL: url } }));

  declare('unknown engine', `mysql://app:${SECRET}@127.0.0.1/app`);
  declare('no server', `postgres://app:${SECRET}@127.0.0.1:1/app`);
  declare('no host', `postgres://app:${SECRET}@no-such-host.invalid/app`);
  declare('no URL', `postgres://app:${SECRET}@127.0.0.1:port/app`);
  declare('no path', 'file:');
  declare('bad escape', 'file:./%zz.db');
  starts.declare('no database', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'notes.db'), 'Dear diary, this is no database. '.repeat(100));
    return { env: { DATABASE_URL: 'file:./notes.db' }, folder };
  });
  if (postgres !== undefined) {
    const url = new URL(postgres);
    url.pathname = '/no_such_database';
    declare('missing', url.href);
    url.password = SECRET;
    declare('wrong password', url.href);
  }

  it.each([
    {
      url: 'unknown engine',
      meaning: 'an engine that is not supported',
      advice: /file:PATH, :memory: or postgres:/,
    },
    {
      url: 'no URL',
      meaning: 'an invalid PostgreSQL URL',
      advice: /postgres:\/\/USER:PASSWORD@HOST:PORT\/DATABASE/,
    },
    { url: 'no path', meaning: 'a file without a name, which would keep nothing', advice: /file:PATH/ },
    { url: 'bad escape', meaning: 'a path with a broken escape', advice: /file:PATH|%zz/ },
    { url: 'no database', meaning: 'a file that is no database', advice: /notes\.db cannot be opened/ },
  ])('stops the start: $meaning', async ({ url, advice }) => {
    expectRefusal(await starts.of(url), 'DATABASE_URL', advice);
  });

  // The URL may be right: the server is down, or its name is not known yet.
  it.each([
    ['no server', /127\.0\.0\.1:1\b/],
    ['no host', /no-such-host\.invalid/],
  ])('stops the start, in one line that does not blame the configuration: %s', async (url, reason) => {
    const { errors } = await starts.of(url);
    expect(errors).toMatch(/^freshgate did not start: the database is not available: [^\n]+\n$/);
    expect(errors).toMatch(reason);
    expect(errors).not.toContain(SECRET);
  });

  it('leaves a file that is no database as it was', async () => {
    const { folder } = await starts.of('no database');
    expect(readFileSync(join(folder, 'notes.db'), 'utf8')).toMatch(/^Dear diary.+database\. $/);
  });

  itOnPostgres('stops the start: a database that PostgreSQL does not have', async () => {
    expectRefusal(await starts.of('missing'), 'DATABASE_URL', /no_such_database/);
  });

  itOnPostgres('stops the start: a password that PostgreSQL refuses, which is not shown', async () => {
    // A server that trusts everybody cannot refuse; ours does not.
    expectRefusal(await starts.of('wrong password'), 'DATABASE_URL', /password|authentication/);
  });
});

/** A good key file, its keys changed, in a folder of its own. */
function folderWithSet(change: (keys: Record<string, unknown>[]) => unknown[]): string {
  return folderWithKeys((text) => {
    const { keys } = JSON.parse(text) as { keys: Record<string, unknown>[] };
    return JSON.stringify({ keys: change(keys) });
  });
}

describe('a key file that cannot be used', () => {
  const KEYS = { ...MEMORY, AUTH_KEYS_FILE: './keys.json' };
  const FILES = [
    { keys: 'truncated', folder: () => folderWithKeys((text) => text.slice(0, -20)), advice: /not JSON/ },
    { keys: 'empty', folder: () => folderWithKeys(() => ''), advice: /not JSON/ },
    {
      keys: 'overwritten with other bytes',
      folder: () => folderWithKeys((text) => `\0\ufffd${text.slice(9)}`),
      advice: /not JSON/,
    },
    {
      keys: 'with a key whose numbers are changed',
      folder: () => folderWithSet(([access, ...rest]) => [{ ...access, x: 'AAAA' }, ...rest]),
      advice: /not a valid EC key/,
    },
    { keys: 'of another kind', folder: () => folderWithKeys(() => '{ "name": "x" }'), advice: /JWK Set/ },
    {
      keys: 'with a null for a key',
      folder: () => folderWithSet((keys) => [null, ...keys]),
      advice: /key 0/,
    },
    {
      keys: 'with a secret that is too short, which is not shown',
      folder: () => folderWithSet(([access, refresh]) => [access, { ...refresh, k: SECRET }]),
      advice: /at least 32 bytes/,
    },
  ];

  for (const { keys, folder } of FILES) starts.declare(keys, () => ({ folder: folder(), env: KEYS }));
  starts.declare('missing keys', () => ({
    env: { ...KEYS, NODE_ENV: 'production', APP_URL: 'https://app.example' },
  }));
  starts.declare('blocked', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'data'), '');
    return { folder, env: { ...KEYS, AUTH_KEYS_FILE: './data/keys.json' } };
  });

  it.each(FILES)('stops the start: $keys', async ({ keys, advice }) => {
    const refusal = await starts.of(keys);
    expectRefusal(refusal, 'AUTH_KEYS_FILE', advice);
    expect(refusal.errors).toContain('keys.json');
    expect(readdirSync(refusal.folder)).toEqual(['keys.json']);
  });

  it('stops the start in production when it is missing, and none is made', async () => {
    const refusal = await starts.of('missing keys');
    expectRefusal(refusal, 'AUTH_KEYS_FILE', /keys\.json does not exist/);
    expect(readdirSync(refusal.folder)).toEqual([]);
  });

  it('stops the start elsewhere when it cannot be made', async () => {
    expectRefusal(await starts.of('blocked'), 'AUTH_KEYS_FILE', /data\/keys\.json cannot be (made|read)/);
  });
});

describe('.env in the working directory', () => {
  starts.declare('.env', () => {
    const folder = makeFolder();
    writeFileSync(join(folder, '.env'), 'SESSION_TTL=sometime\n');
    return { folder };
  });

  it('is read, and the real environment wins over it', async () => {
    const folder = makeFolder();
    writeFileSync(join(folder, '.env'), 'AUTH_ISSUER=from-file\nAUTH_AUDIENCE="from-file"\n');
    const server = await start({ folder, env: { ...MEMORY, AUTH_AUDIENCE: 'from-environment' } });
    const body = { username: 'laika', password: 'space-corgi' };
    await server.request('POST', '/auth/register', { body });
    const login = await server.request<TokenPairDto>('POST', '/auth/login', { body });
    expect(decode(login.body.access_token)).toMatchObject({ iss: 'from-file', aud: 'from-environment' });
    await server.stop();
  });

  it('stops the start like the environment when it is wrong', async () => {
    expectRefusal(await starts.of('.env'), 'SESSION_TTL', DURATION);
  });
});

describe('a start that is refused', () => {
  it.each(['values 0', 'taken', 'no server', 'truncated', '.env'])(
    'ends the process with 1 and the same words on stderr: %s',
    async (name) => {
      const { exit, errors, output } = await starts.asProcess(name);
      expect(await exit).toEqual({ code: 1, signal: null });
      expect(errors).toBe((await starts.of(name)).errors);
      expect(output).not.toMatch(/^\s+at .*:\d+/m);
    },
  );

  it('logs no stack trace and no secret', async () => {
    expect((await starts.all()).length).toBeGreaterThan(20);
    expect(starts.log).not.toMatch(/^\s+at .*:\d+/m);
    expect(starts.log).not.toContain(SECRET);
  });
});
