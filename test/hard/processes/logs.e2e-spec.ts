import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { until } from '../../support/until.js';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';

interface Line {
  level: string;
  context?: string;
  msg?: string;
  requestId?: string;
  route?: string;
  path?: string;
  status?: number;
  duration?: number;
  errorCode?: string;
}

const PASSWORDS = ['Tr0ub4dor-space-corgi', 'second-P4ss-in-orbit', 'wr0ng-Pass-guess'] as const;
const [PASSWORD, NEXT_PASSWORD, WRONG_PASSWORD] = PASSWORDS;
const FORGED = 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJmb3JnZWQtYnktbWUifQ.Zm9yZ2VkLXNpZ25hdHVyZQ';

async function startProduction(env: Record<string, string>): Promise<ServerProcess> {
  const folder = makeFolder();
  writeFileSync(join(folder, 'keys.json'), JSON.stringify(generateKeySet()), { mode: 0o600 });
  const production = {
    NODE_ENV: 'production',
    APP_URL: 'https://app.example',
    AUTH_KEYS_FILE: './keys.json',
    DATABASE_URL: ':memory:',
  };
  return start({ folder, env: { ...production, LOG_LEVEL: 'trace', ...env } });
}

function linesOf(server: ServerProcess): Line[] {
  return server.output
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

/** A client that keeps every secret that it has sent or got. */
class Client {
  readonly secrets = new Set<string>([...PASSWORDS, FORGED]);

  constructor(private readonly server: ServerProcess) {}

  async send(method: string, path: string, headers: Record<string, string> = {}, body?: unknown) {
    const response = await fetch(this.server.url + path, {
      method,
      headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    for (const cookie of response.headers.getSetCookie()) this.keep(cookie.split(';')[0]?.split('=')[1]);
    const answer = (text === '' ? {} : JSON.parse(text)) as Partial<TokenPairDto>;
    this.keep(answer.access_token);
    this.keep(answer.refresh_token);
    return {
      status: response.status,
      headers: response.headers,
      cookies: response.headers.getSetCookie(),
      answer,
    };
  }

  /** The whole of it, and each part that is long enough to be told apart. */
  private keep(secret: string | undefined): void {
    if (!secret) return;
    for (const part of [secret, ...secret.split('.').slice(1)]) if (part.length >= 16) this.secrets.add(part);
  }
}

const bearer = (token: string | undefined) => ({ Authorization: `Bearer ${token}` });

describe('the log of a server that is used in every way', () => {
  let server: ServerProcess;
  let client: Client;
  let requestId: string | null;
  beforeAll(async () => {
    server = await startProduction({ TOKEN_LOCATIONS: 'header,query,body' });
    client = new Client(server);
    const account = { username: 'cosmo', password: PASSWORD };
    const register = await client.send('POST', '/auth/register', {}, account);
    expect(register.status).toBe(201);
    requestId = register.headers.get('x-request-id');
    await client.send('POST', '/auth/register', {}, { username: 'laika', password: PASSWORD });
    const { answer: first } = await client.send('POST', '/auth/login', {}, account);
    await client.send('POST', '/auth/login', {}, { username: 'cosmo', password: WRONG_PASSWORD });
    await client.send(
      'POST',
      '/auth/login',
      {},
      { username: WRONG_PASSWORD.toLowerCase(), password: PASSWORD },
    );
    const { answer: second } = await client.send('POST', '/auth/refresh', bearer(first.refresh_token));
    const refresh = bearer(second.refresh_token);
    await client.send('POST', '/auth/reauthenticate', refresh, { password: WRONG_PASSWORD });
    const { answer: third } = await client.send('POST', '/auth/reauthenticate', refresh, {
      password: PASSWORD,
    });
    const fresh = bearer(third.access_token);
    // example:begin
    const transfer = await client.send('POST', '/transfers', fresh, { to: 'laika', amount: 1 });
    expect(transfer.status).toBe(201);
    // example:end
    const change = { current_password: PASSWORD, new_password: NEXT_PASSWORD };
    await client.send('PUT', '/auth/password', fresh, { ...change, current_password: WRONG_PASSWORD });
    const changed = await client.send('PUT', '/auth/password', fresh, change);
    expect(changed.status).toBe(200);
    const access = changed.answer.access_token ?? '';
    // Wrong tokens, and right ones, in every place.
    for (const token of [FORGED, access, first.refresh_token ?? '', `${access}x`]) {
      await client.send('GET', '/profile', bearer(token));
      await client.send('GET', '/profile', { Authorization: `Basic ${token}` });
      await client.send('GET', '/profile', { Cookie: `access_token=${token}`, 'X-CSRF-Token': token });
      await client.send('GET', `/profile?access_token=${token}`);
      await client.send('GET', `/nope/${token}?access_token=${token}`);
      await client.send('POST', '/auth/refresh', {}, { refresh_token: token });
      // example:begin
      await client.send(
        'POST',
        '/transfers',
        { 'X-Device-Token': token },
        { access_token: token, to: 'laika' },
      );
      // example:end
      await client.send('GET', '/health/live', { 'X-Request-Id': token });
    }
    // Refused bodies, which a refusal may quote.
    for (const body of [
      `{"username":"cosmo","password":"${PASSWORD}"`,
      `"${PASSWORD}"`,
      PASSWORD,
      `{"username":"cosmo","password":["${PASSWORD}"]}`,
      `{"password":"${PASSWORD}","password":"${PASSWORD}"}`,
    ]) {
      await client.send('POST', '/auth/login', {}, body);
    }
    await client.send('POST', '/auth/refresh', bearer(first.refresh_token));
    await server.stop();
  });

  it('holds no password and no token that was sent or given', () => {
    expect(client.secrets.size).toBeGreaterThan(15);
    expect([...client.secrets].filter((secret) => server.output.includes(secret))).toEqual([]);
    expect(server.output).not.toMatch(/eyJ/);
    expect(server.errors).toBe('');
  });

  it('has one line for each request, with the id of the answer, the route and no query', () => {
    const line = linesOf(server).find(
      ({ context, route }) => context === 'Http' && route === '/auth/register',
    );
    expect(line).toMatchObject({ level: 'info', status: 201, requestId, duration: expect.any(Number) });
    const unknown = linesOf(server).filter(({ path }) => path?.startsWith('/nope'));
    expect(unknown).toHaveLength(4);
    expect(unknown[0]).toMatchObject({ status: 404, errorCode: 'not_found', path: '/nope/[redacted]' });
    expect(server.output).not.toMatch(/\?(?!\[redacted\])\w+=/);
  });

  it('has the id on every line that a request causes', () => {
    const audit = linesOf(server).filter(({ context }) => context === 'Audit' || context === 'Errors');
    expect(audit.length).toBeGreaterThan(20);
    expect(audit.filter((line) => !/^[\w.-]{1,64}$/.test(line.requestId ?? ''))).toEqual([]);
    expect(audit.find(({ msg }) => msg?.startsWith('user_created'))).toMatchObject({ requestId });
  });

  it('logs probes at debug only', () => {
    const levels = linesOf(server)
      .filter(({ route }) => route === '/health/live')
      .map(({ level }) => level);
    expect([...new Set(levels)]).toEqual(['debug']);
  });
});

describe('the log of a server with cookies', () => {
  it('holds no cookie and no CSRF token', async () => {
    const server = await startProduction({
      TOKEN_LOCATIONS: 'cookie,header',
      CORS_ORIGINS: 'https://app.example',
    });
    const client = new Client(server);
    const account = { username: 'cosmo', password: PASSWORD };
    const origin = { Origin: 'https://app.example' };
    await client.send('POST', '/auth/register', origin, account);
    const { cookies } = await client.send('POST', '/auth/login', origin, account);
    expect(cookies.length).toBeGreaterThan(1);
    const pairs = cookies.map((cookie) => cookie.split(';')[0] ?? '');
    const csrf = pairs.find((pair) => /csrf/i.test(pair))?.split('=')[1] ?? '';
    const headers = { ...origin, Cookie: pairs.join('; ') };
    expect((await client.send('GET', '/profile', headers)).status).toBe(200);
    await client.send('POST', '/auth/refresh', headers);
    expect((await client.send('POST', '/auth/refresh', { ...headers, 'X-CSRF-Token': csrf })).status).toBe(
      200,
    );
    await client.send('POST', '/auth/refresh', { ...headers, 'X-CSRF-Token': `${csrf}x` });
    await server.stop();
    expect(csrf.length).toBeGreaterThan(15);
    expect(client.secrets.size).toBeGreaterThan(8);
    expect([...client.secrets].filter((secret) => server.output.includes(secret))).toEqual([]);
    expect(linesOf(server).length).toBeGreaterThan(10);
  });
});

describe('what callers send', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    server = await startProduction({ LOG_LEVEL: 'debug' });
  });
  afterAll(() => server.stop());

  const EVIL = ['\n', '\r\n', '\u001b[2J', '\u2028', '\u2029', '\u0085', '\u009b31m', '\u202e'];

  it.each(EVIL.map((text) => [JSON.stringify(text), text]))(
    'makes no line of its own: %s',
    async (_, text) => {
      const forged = `${text}{"level":"fatal","msg":"forged"}`;
      const before = server.output.length;
      const body = { [forged]: 1, username: forged, password: forged };
      await server.request('POST', '/auth/register', { body });
      await server.request('POST', '/auth/login', { body: { username: forged, password: forged } });
      await server.request('GET', `/${encodeURIComponent(forged)}`);
      // What no client library sends.
      const raw = Buffer.from(
        `GET /x${text}y HTTP/1.1\r\nHost: x\r\nUser-Agent: ${text}\r\nX-Request-Id: a${text}b\r\nConnection: close\r\n\r\n`,
        'latin1',
      );
      const { hostname, port } = new URL(server.url);
      await new Promise<void>((resolve) => {
        const socket = connect(Number(port), hostname).on('close', () => resolve());
        socket
          .on('error', () => {})
          .resume()
          .end(raw);
      });
      // The lines of requests may wait for a second.
      await until(3_000, async () => server.output.slice(before).split('"Http"').length > 3);
      const output = server.output.slice(before);
      const events = output.split(/[\n\r\u2028\u2029\u0085]/).filter(Boolean);
      expect(events.length).toBeGreaterThanOrEqual(6);
      for (const event of events) expect(JSON.parse(event)).not.toMatchObject({ level: 'fatal' });
      expect(output).toMatch(/^[\u0020-\u007e\n]*$/);
    },
  );
});

describe('LOG_LEVEL', () => {
  it('at info logs requests, not probes', async () => {
    const server = await startProduction({ LOG_LEVEL: 'info' });
    await server.request('GET', '/health/live');
    await server.request('GET', '/profile');
    await server.stop();
    const requests = linesOf(server).filter(({ context }) => context === 'Http');
    expect(requests.map(({ route, errorCode }) => [route, errorCode])).toEqual([
      ['/profile', 'token_missing'],
    ]);
  });
});

describe('the lines of requests', () => {
  it('come by themselves, within a second or so', async () => {
    const server = await startProduction({ LOG_LEVEL: 'info' });
    await server.request('GET', '/profile');
    await until(3_000, async () => server.output.includes('GET /profile 401'));
    await server.stop();
  });

  it('are not lost when an error that nothing catches ends the process', async () => {
    const folder = makeFolder();
    const crash = join(folder, 'crash.mjs');
    writeFileSync(crash, `process.once('SIGUSR2', () => { throw new Error('crash'); });`);
    const server = await start({
      folder,
      env: { NODE_OPTIONS: `--import=${crash}`, DATABASE_URL: ':memory:' },
    });
    await server.request('GET', '/profile');
    await server.stop('SIGUSR2');
    expect(server.errors).toContain('Error: crash');
    expect(server.output).toContain('GET /profile 401');
  });
});

describe('outside production', () => {
  it('lines are human-readable', async () => {
    const server = await start({ env: { DATABASE_URL: ':memory:' } });
    await server.request('GET', '/profile');
    await server.stop();
    expect(server.output).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}\[Http\] GET \/profile 401 .*duration=/m);
    expect(server.output).not.toMatch(/^\{/m);
  });
});
