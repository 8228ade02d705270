import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decode, type Jwt } from 'jsonwebtoken';
import { AuthOptions } from '../../src/auth/index.js';
import { RESERVED_CLAIMS } from '../../src/tokens/token-claims.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { OnceController } from '../support/once.controller.js';
import { blocksOf, quotesIn, readDocument, rowsOf, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/tokens.md');

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

const rows = rowsOf(DOCUMENT, 'What they say').map(([name = '', ...cells]) => ({
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
    const table = rowsOf(DOCUMENT, 'What is fresh').map(
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
    await withExamples('tokens', blocksOf(DOCUMENT, 'ts'), async ([, file = '']) => {
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
      rowsOf(DOCUMENT, 'Where they are sent').map(([where = '', access, refresh]) => [
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
