import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { sql } from 'kysely';
import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Response } from 'supertest';
import { Access } from '../../../src/auth/index.js';
import { Database } from '../../../src/database/index.js';
import { DatabaseProxy } from '../../support/database-proxy.js';
import { createTestApp, type TestApp, type TestLogin, type TestUser } from '../../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { OnceController } from '../../support/once.controller.js';

@Access()
@Controller('guarded')
class GuardedController {
  @Get()
  read() {
    return { ok: true };
  }
}

/** Milliseconds: five to wait for a connection, and what a busy machine adds. */
const BOUND = 9_000;
jest.setTimeout(60_000);

/** What clients were told has happened. */
interface Acknowledged {
  users: TestUser[];
  /** Access tokens that were used up by a success. */
  used: string[];
  /** Access and refresh tokens of sessions that were ended. */
  dead: { access: string; refresh: string }[];
  logins: TestLogin[];
}

/** Clients that do everything that changes something, over and over, and remember what was acknowledged. */
class Load {
  readonly told: Acknowledged = { users: [], used: [], dead: [], logins: [] };
  readonly refusals: Response[] = [];
  /** Milliseconds. */
  slowest = 0;
  private done = false;
  private readonly working: Promise<void>[] = [];

  constructor(private readonly api: TestApp) {}

  begin(logins: TestLogin[]): void {
    this.told.logins.push(...logins);
    this.working.push(...logins.map((login) => this.work(login)));
  }

  async end(): Promise<void> {
    this.done = true;
    await Promise.all(this.working);
  }

  private async work(login: TestLogin): Promise<void> {
    const { username, password } = login.user;
    // One key for one rotation: sent again, it asks for the same answer.
    let key: string = randomUUID();
    let tried = '';
    while (!this.done) {
      const name = `load-${randomUUID().slice(0, 12)}`;
      const registered = await this.try('POST', '/auth/register', undefined, { username: name, password });
      if (registered.status === 201)
        this.told.users.push({ ...login.user, username: name, password } as TestUser);

      // A token is good for one success; where the answer was lost, the client cannot tell whether it was one.
      if (login.access !== tried) {
        tried = login.access;
        const { status } = await this.try('POST', '/once', tried);
        if (status === 201) this.told.used.push(tried);
      }

      const renewed = await this.timed(login.tryReauthenticate(login.refresh, password, key));
      if (renewed.status === 200) {
        login.access = renewed.body.access_token as string;
        login.refresh = renewed.body.refresh_token as string;
        key = randomUUID();
      }

      const other = await this.try('POST', '/auth/login', undefined, { username, password });
      if (other.status !== 200) continue;
      const pair = { access: other.body.access_token as string, refresh: other.body.refresh_token as string };
      const out = await this.try('POST', '/auth/logout', pair.refresh);
      if (out.status === 204) this.told.dead.push(pair);
    }
  }

  private try(method: string, path: string, token?: string, body?: object): Promise<Response> {
    return this.timed(this.api.request(method, path, token).send(body));
  }

  private async timed(request: PromiseLike<Response>): Promise<Response> {
    const began = performance.now();
    const response = await request;
    this.slowest = Math.max(this.slowest, performance.now() - began);
    if (response.status >= 400) this.refusals.push(response);
    return response;
  }
}

describePostgres('a database that fails under load', () => {
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let api: TestApp;
  beforeEach(async () => {
    database = await createTestDatabase('postgres');
    proxy = await DatabaseProxy.start(database);
    api = await createTestApp({ database: proxy.database, controllers: [GuardedController, OnceController] });
  });
  afterEach(async () => {
    proxy.heal();
    await api.close();
    await proxy.stop();
    await database.drop();
  });

  const kill = async (application: string) => {
    const { default: pg } = await import('pg');
    const client = new pg.Client({ connectionString: database.url, application_name: 'killer' });
    await client.connect();
    await client.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name = $1 and random() < 0.7`,
      [application],
    );
    await client.end();
  };

  /** Each leaves the database as it found it. */
  const FAULTS: [string, () => Promise<void>][] = [
    [
      'stopped for a while',
      async () => {
        proxy.cut('pool', 'listener');
        await delay(2_000);
        proxy.heal();
      },
    ],
    [
      'that is restarted again and again',
      async () => {
        for (let round = 0; round < 15; round++) {
          proxy.reset('pool');
          await delay(100);
        }
      },
    ],
    [
      'whose connections are killed, in the middle of transactions too',
      async () => {
        for (let round = 0; round < 25; round++) await kill('freshgate');
      },
    ],
  ];

  it.each(FAULTS)(
    '%s: loses nothing that was acknowledged, lets nothing in, and recovers by itself',
    async (_, fault) => {
      const load = new Load(api);
      load.begin(await Promise.all(Array.from({ length: 4 }, () => api.login())));
      const { access: reader } = await api.login();
      await delay(700);
      const before = load.told.users.length;
      const during = fault();
      const reads = new Set<number>();
      const reading = { done: false };
      const readers = (async () => {
        while (!reading.done) reads.add((await api.request('GET', '/guarded', reader)).status);
      })();
      await during;
      reading.done = true;
      await readers;
      expect(before).toBeGreaterThan(0);
      // No restart: what waits for the database comes back with it.
      const healed = load.told.users.length;
      const recovery = performance.now();
      while (load.told.users.length < healed + 4) {
        if (performance.now() - recovery > BOUND) throw new Error('does not recover');
        await delay(20);
      }
      await load.end();

      expect([...reads]).toEqual([200]);
      expect(load.refusals.length).toBeGreaterThan(0);
      for (const response of load.refusals) {
        expectError(response, 503, 'database_unavailable');
        expect(response.headers['retry-after']).toMatch(/^\d+$/);
      }
      expect(load.slowest).toBeLessThan(BOUND);
      await expectAllKept(load.told);
    },
  );

  async function expectAllKept({ users, used, dead, logins }: Acknowledged): Promise<void> {
    const db = api.get(Database);
    const { rows } = await sql<{ username: string }>`select username from users`.execute(db);
    const names = new Set(rows.map(({ username }) => username));
    expect(users.map(({ username }) => username).filter((name) => !names.has(name))).toEqual([]);
    expect(used.length).toBeGreaterThan(0);
    for (const access of used)
      expectError(await api.request('POST', '/once', access), 401, 'fresh_token_required');
    for (const login of logins) {
      await api.request('GET', '/guarded', login.access).expect(200);
      await login.tryRefresh(login.refresh).expect(200);
    }
    expect(dead.length).toBeGreaterThan(0);
    for (const { access, refresh } of dead) {
      expectError(await api.request('GET', '/guarded', access), 401, 'token_revoked');
      expectError(await api.request('POST', '/auth/refresh', refresh), 401, 'token_revoked');
    }
  }

  it('with all its connections taken: 503 within the bound, guarded reads at once, and back when they are given back', async () => {
    const login = await api.login();
    const db = api.get(Database);
    const free = withResolvers();
    const taken = Array.from({ length: 10 }, () =>
      db.transaction().execute(async (tx) => {
        await sql`select 1`.execute(tx);
        await free.promise;
      }),
    );
    while (proxy.open('pool') < 10) await delay(10);
    await delay(50);
    const { username, password } = login.user;
    const began = performance.now();
    const waiting = Promise.all([
      api.request('POST', '/auth/login').send({ username, password }),
      login.tryRefresh(login.refresh),
      api.request('POST', '/once', login.access),
    ]);
    await api.request('GET', '/guarded', login.access).expect(200);
    expect(performance.now() - began).toBeLessThan(1_000);
    const { body } = await api.request('GET', '/health/ready').expect(503);
    expect(Object.keys(body.error as object)).toEqual(expect.arrayContaining(['database', 'migrations']));
    for (const response of await waiting) {
      expectError(response, 503, 'database_unavailable');
      expect(response.headers['retry-after']).toMatch(/^\d+$/);
    }
    expect(performance.now() - began).toBeLessThan(BOUND);
    free.resolve(undefined);
    await Promise.all(taken);
    await login.rotate();
    await login.user.login();
  });
});

function withResolvers() {
  let resolve: (value: unknown) => void = () => {};
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
