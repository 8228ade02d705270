import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';
import { until } from '../../support/until.js';
import { Client, linesOf, PASSWORDS, startProduction } from './logged.js';

const [PASSWORD] = PASSWORDS;

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
  it('at info logs requests, not probes, and each within a second or so', async () => {
    const server = await startProduction({ LOG_LEVEL: 'info' });
    await server.request('GET', '/health/live');
    await server.request('GET', '/profile');
    await until(3_000, async () => server.output.includes('GET /profile 401'));
    await server.stop();
    const requests = linesOf(server).filter(({ context }) => context === 'Http');
    expect(requests.map(({ route, errorCode }) => [route, errorCode])).toEqual([
      ['/profile', 'token_missing'],
    ]);
  });
});

describe('outside production', () => {
  it('lines are human-readable, and not lost when an error that nothing catches ends the process', async () => {
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
    expect(server.output).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}\[Http\] GET \/profile 401 .*duration=/m);
    expect(server.output).not.toMatch(/^\{/m);
  });
});
