import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { decode, type Jwt } from 'jsonwebtoken';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Type } from '@nestjs/common';
import { Transport } from '@nestjs/microservices';
import { type WebSocket } from 'ws';
import { AuthOptions } from '../../src/auth/index.js';
import { RESERVED_CLAIMS } from '../../src/tokens/token-claims.js';
import { TestClock } from '../../src/testing/index.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { OnceController } from '../support/once.controller.js';
import { ask as query } from '../support/graphql.js';
import { freePort } from '../support/free-port.mjs';
import { until } from '../support/until.js';
import { blocksOf, readDocument, withExamples, quotesIn, rowsOf } from './documents.js';

/* The stories and examples of documents run as they are written. */

const README = readDocument('README.md');

describe('the README', () => {
  const SEPARATOR = '=== end of answer ===';
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  it('tells a story in curl that is true', async () => {
    execFileSync('curl', ['--version']);
    const [story = ''] = blocksOf(README.split('## The story in curl')[1] ?? '', 'sh');
    const expected = [...story.matchAll(/^# → (\d{3}) ?(.*)$/gm)].map(([, status, text]) => ({
      status,
      text,
    }));
    expect(expected.length).toBeGreaterThan(8);
    // The commands as they stand, but for the address, and with the headers shown so that the status can be read.
    const script = story
      .replace('http://127.0.0.1:3000', await api.app.getUrl())
      .replace(/^curl -si? /gm, 'curl -si ')
      .replace(/^(curl [^\n]*)$/gm, `$1; printf '\\n%s\\n' '${SEPARATOR}'`);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script]);
    const answers = stdout.split(SEPARATOR).slice(0, -1);
    expect(answers.length).toBe(expected.length);
    for (const [i, { status, text }] of expected.entries()) {
      expect(answers[i]).toMatch(new RegExp(`^\\s*HTTP/1.1 ${status} `));
      expect(answers[i]).toContain(text);
    }
  });

  it('shows a guarded module that guards', async () => {
    await withExamples('readme', blocksOf(README, 'ts'), async ([file = '']) => {
      const { PostcardsModule } = (await import(file)) as { PostcardsModule: new () => object };
      const team = await createTestApp({ imports: [PostcardsModule] });
      try {
        const login = await team.login();
        expectError(await team.request('GET', '/postcards'), 401, 'token_missing');
        const { body } = await team.request('GET', '/postcards', login.access).expect(200);
        expect(body).toEqual({ owner: login.user.id, items: [] });
        await team.request('GET', '/postcards/sizes').expect(200);
        await team.request('DELETE', '/postcards/7', login.access).expect(200);
        team.clock.advance('5m 1s');
        expectError(await team.request('DELETE', '/postcards/7', login.access), 401, 'fresh_token_required');
        await team.request('GET', '/postcards', login.access).expect(200);
      } finally {
        await team.close();
      }
    });
  });
});

const TOKENS = readDocument('docs/tokens.md');

interface ClientExample {
  Client: new (
    api: string,
    tokens: { access_token: string; refresh_token: string },
    askForPassword: () => Promise<string>,
  ) => { post(path: string, body: object): Promise<Response> };
}

function read(token: string): { header: object; payload: Record<string, unknown> } {
  const { header, payload } = decode(token, { complete: true }) as Jwt;
  return { header, payload: payload as Record<string, unknown> };
}

const rows = rowsOf(TOKENS, 'What they say').map(([name = '', ...cells]) => ({
  name: quotesIn(name).join(),
  // Rows of header members have no cell for the kind of token.
  where: cells.length === 2 ? (cells[0] ?? '') : 'header',
}));
const members = rows.filter(({ where }) => where === 'header').map(({ name }) => name);
const claims = rows.filter(({ where }) => where !== 'header');

describe('docs/tokens.md', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [OnceController] });
  });
  afterAll(() => api.close());

  it('lists the claims and header members that a token of each kind has, and no other', async () => {
    const login = await api.login();
    for (const kind of ['access', 'refresh'] as const) {
      const { header, payload } = read(login[kind]);
      expect(Object.keys(header).toSorted()).toEqual(members.toSorted());
      const listed = claims.filter(({ where }) => where === kind || where === 'both').map(({ name }) => name);
      expect(Object.keys(payload).toSorted()).toEqual(listed.toSorted());
    }
    expect(claims.map(({ name }) => name).toSorted()).toEqual([...RESERVED_CLAIMS].toSorted());
  });

  /** The requests for the actions of the table. */
  const ACTS: Record<string, (login: TestLogin) => Promise<string>> = {
    'POST /auth/login': async (login) => (await login.user.login()).access,
    'POST /auth/reauthenticate': async (login) => (await login.reauthenticate()).access_token,
    'POST /auth/refresh': async (login) => (await login.rotate()).access_token,
    'PUT /auth/password': async (login) => {
      const body = { current_password: login.user.password, new_password: 'another-corgi-in-space' };
      const response = await api.request('PUT', '/auth/password', login.access).send(body).expect(200);
      return (response.body as { access_token: string }).access_token;
    },
  };

  it('shows for each action whether the token is fresh afterwards', async () => {
    const table = rowsOf(TOKENS, 'What is fresh').map(
      ([act = '', fresh, moved]) => `${quotesIn(act).join()}: ${fresh}, ${moved}`,
    );
    const found: string[] = [];
    for (const [act, run] of Object.entries(ACTS)) {
      const login = await api.login();
      const before = Number(read(login.access).payload['auth_time']);
      api.clock.advance('1m');
      const { fresh, auth_time: after } = read(await run(login)).payload;
      expect([0, 60]).toContain(Number(after) - before);
      found.push(`${act}: ${String(fresh)}, ${after === before ? 'as before' : 'now'}`);
    }
    expect(table.toSorted()).toEqual(found.toSorted());
  });

  it('shows a client that steps up, once, and only where it is asked to', async () => {
    await withExamples('tokens', blocksOf(TOKENS, 'ts'), async ([, file = '']) => {
      const { Client } = (await import(file)) as ClientExample;
      const login = await api.login();
      const tokens = await login.rotate();
      let asked = 0;
      const client = new Client(await api.app.getUrl(), tokens, async () => {
        asked++;
        return login.user.password;
      });
      const use = (body = {}) => client.post('/once', body);
      expect([(await use()).status, asked]).toEqual([201, 1]);
      // Spent: one proof, one act.
      expect([(await use()).status, asked]).toEqual([201, 2]);
      // Given back by the 404, so the next one needs no password.
      expect([(await use({ status: 404 })).status, asked]).toEqual([404, 3]);
      expect([(await use()).status, asked]).toEqual([201, 3]);
    });
  });

  it('names the locations with the names that they have', () => {
    const { locations, cookies } = new AuthOptions();
    const shown = Object.fromEntries(
      rowsOf(TOKENS, 'Where they are sent').map(([where = '', access, refresh]) => [
        quotesIn(where)[0],
        [access, refresh],
      ]),
    );
    const { accessName, refreshName, headerName, headerScheme } = locations;
    expect(shown).toEqual({
      header: [`\`${headerName}: ${headerScheme} …\``, 'the same'],
      cookie: [`\`${cookies.accessName}\``, `\`${cookies.refreshName}\``],
      query: [`\`?${accessName}=…\``, `\`?${refreshName}=…\``],
      body: [`the member \`${accessName}\``, `the member \`${refreshName}\``],
    });
  });
});

const FACTORS = blocksOf(readDocument('docs/factors.md'), 'sh')[0] ?? '';

/** The time of the authenticator, also if the story goes on into the next code. */
class RunningClock extends TestClock {
  override now(): number {
    return Date.now();
  }
}

/** Debian's `oathtool`, which knows nothing of us; where it is not installed, a script stands in for it. */
function hasOathtool(): boolean {
  try {
    execFileSync('oathtool', ['--version']);
    return true;
  } catch {
    return false;
  }
}

describe('docs/factors.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-oathtool-'));
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ clock: new RunningClock() });
    if (hasOathtool()) return;
    const standIn = join(folder, 'oathtool');
    copyFileSync(join(import.meta.dirname, '../support/oathtool.mjs'), standIn);
    chmodSync(standIn, 0o755);
  });
  afterAll(async () => {
    await api.close();
    rmSync(folder, { recursive: true });
  });

  it('tells a story in curl that is true', async () => {
    const expected = [...FACTORS.matchAll(/^# → (.*)$/gm)].map(([, text]) => text);
    expect(expected.length).toBeGreaterThan(5);
    const script = FACTORS.replace('http://127.0.0.1:3000', await api.app.getUrl());
    const env = { ...process.env, PATH: `${process.env['PATH']}:${folder}` };
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { env });
    expect(stdout.trim().split('\n')).toEqual(expected);
  });
});

const TRANSPORTS = readDocument('docs/transports.md');
const exampleOf = (word: string) => blocksOf(TRANSPORTS, 'ts').filter((code) => code.includes(word));

it('the examples of gateways run: a client that renews its token, a refusal as shown, and the end', async () => {
  await withExamples('transports', blocksOf(TRANSPORTS, 'ts'), async ([gateway = '', client = '']) => {
    const { ChatModule } = (await import(gateway)) as { ChatModule: Type };
    const { connect } = (await import(client)) as {
      connect: (url: string, accessToken: () => Promise<string>) => WebSocket;
    };
    const api = await createTestApp({ imports: [ChatModule] });
    const login = await api.login();
    await login.rotate();
    const url = (await api.app.getUrl()).replace('http', 'ws');
    const socket = connect(url, async () => login.access);
    const told: unknown[] = [];
    let end: { code: number; reason: string } | undefined;
    socket.addEventListener('message', ({ data }) => told.push(JSON.parse(data as string)));
    socket.addEventListener('close', ({ code, reason }) => (end = { code, reason }));
    const ask = async (event: string, data?: unknown) => {
      const seen = told.length;
      socket.send(JSON.stringify({ event, data }));
      await until(2_000, async () => told.length > seen);
      return told.at(-1);
    };
    await until(2_000, async () => told.length > 0);
    expect(told).toEqual([{ event: 'authenticated', data: { expires_in: 900 } }]);
    expect(await ask('ping')).toEqual({ event: 'pong' });
    expect(await ask('say', 'hi')).toEqual({ event: 'said', data: { by: login.user.id, text: 'hi' } });
    const [shown = ''] = blocksOf(TRANSPORTS, 'json');
    expect(await ask('clear')).toEqual({ event: 'exception', data: JSON.parse(shown) });
    await login.reauthenticate();
    await ask('authenticate', { token: login.access });
    expect(await ask('clear')).toEqual({ event: 'cleared' });
    await api.request('POST', '/auth/logout', login.access).expect(204);
    await until(1_000, async () => end !== undefined);
    expect(end).toEqual({ code: 4401, reason: 'token_revoked' });
    await api.close();
  });
});

it('the examples of microservices run, and a refusal is as shown', async () => {
  await withExamples('transports', blocksOf(TRANSPORTS, 'ts'), async ([, , service = '', client = '']) => {
    const { BooksModule } = (await import(service)) as { BooksModule: Type };
    const { Books } = (await import(client)) as {
      Books: new (
        host: string,
        port: number,
      ) => {
        list(page: number, token: string): Promise<object>;
        clear(token: string): Promise<object>;
        close(): void;
      };
    };
    const api = await createTestApp({ imports: [BooksModule] });
    const options = { host: '127.0.0.1', port: await freePort() };
    api.app.connectMicroservice({ transport: Transport.TCP, options });
    await api.app.startAllMicroservices();
    const books = new Books(options.host, options.port);
    const login = await api.login();
    expect(await books.list(2, login.access)).toEqual({ page: 2, of: login.user.id });
    expect(await books.clear(login.access)).toEqual({ cleared: true });
    await login.rotate();
    const [, shown = ''] = blocksOf(TRANSPORTS, 'json');
    await expect(books.clear(login.access)).rejects.toEqual(JSON.parse(shown));
    books.close();
    await api.close();
  });
});

it('the example of event streams and long answers runs, and both end at the logout', async () => {
  await withExamples('transports', blocksOf(TRANSPORTS, 'ts'), async ([, , , , file = '']) => {
    const { TicksController } = (await import(file)) as { TicksController: Type };
    const api = await createTestApp({ controllers: [TicksController] });
    const login = await api.login();
    const open = async (path: string) => {
      const headers = { authorization: `Bearer ${login.access}` };
      const response = await fetch(`${await api.app.getUrl()}/ticks/${path}`, { headers });
      const answer = { path, text: '', ended: false };
      const readAll = async () => {
        for await (const chunk of response.body as ReadableStream<Uint8Array>)
          answer.text += Buffer.from(chunk).toString();
      };
      void readAll()
        .catch(() => {})
        .finally(() => (answer.ended = true));
      await until(2_000, async () => answer.text.length > 10);
      return answer;
    };
    const answers = [await open('events'), await open('lines')];
    expect(answers.map(({ ended }) => ended)).toEqual([false, false]);
    await api.request('POST', '/auth/logout', login.access).expect(204);
    await until(1_000, async () => answers.every(({ ended }) => ended));
    await api.close();
  });
});

it('the example of GraphQL runs', async () => {
  await withExamples('transports-graphql', exampleOf('GraphqlAuthModule'), async ([file = '']) => {
    const { AccountsGraphModule } = (await import(file)) as { AccountsGraphModule: Type };
    const api = await createTestApp({ imports: [AccountsGraphModule] });
    const login = await api.login();
    const answer = { me: { id: login.user.id, iban: `iban of ${login.user.id}` } };
    expect(await query(api, '{ me { id iban } }', login.access)).toEqual({ data: answer, errors: [] });
    expect((await query(api, '{ version }')).data).toEqual({ version: '1' });
    expect((await query(api, 'mutation { transfer(to: "laika") }', login.access)).data).toEqual({
      transfer: true,
    });
    const { errors } = await query(api, 'mutation { transfer(to: "laika") }', login.access);
    const shown = blocksOf(TRANSPORTS, 'json').find((each) => each.includes('extensions')) ?? '';
    const { extensions } = JSON.parse(
      shown.replace('…', 'error_description=\\"Fresh token required\\"'),
    ) as (typeof errors)[0];
    expect(errors).toEqual([
      expect.objectContaining({ message: 'Fresh token required', path: ['transfer'], extensions }),
    ]);
    await api.close();
  });
});

it('the example of API keys accepts a key or a token, and no invalid token beside a key', async () => {
  await withExamples('transports-keys', exampleOf('KeyOrToken'), async ([file = '']) => {
    const { ApiKeys, ReportsController } = (await import(file)) as Record<
      'ApiKeys' | 'ReportsController',
      Type
    >;
    class TeamModule {}
    const api = await createTestApp({
      imports: [{ module: TeamModule, controllers: [ReportsController], providers: [ApiKeys] }],
    });
    const { access, user } = await api.login();
    const key = { 'x-api-key': 'key-of-the-reporting-job' };
    const withKey = (token?: string) => api.request('GET', '/reports', token).set(key);
    expect((await api.request('GET', '/reports', access).expect(200)).body).toEqual({ owner: user.id });
    expect((await withKey().expect(200)).body).toEqual({ owner: 'reporting' });
    expect((await withKey(access).expect(200)).body).toEqual({ owner: user.id });
    expectError(await withKey('not.a.token'), 401, 'token_invalid');
    expectError(await api.request('GET', '/reports').set({ 'x-api-key': 'another' }), 401, 'token_missing');
    expectError(await api.request('GET', '/reports'), 401, 'token_missing');
    await api.close();
  });
});
