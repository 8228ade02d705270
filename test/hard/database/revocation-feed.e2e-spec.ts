import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { RevocationFeed } from '../../../src/auth/internals.js';
import { Database } from '../../../src/database/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { TestClock } from '../../../src/testing/index.js';
import { start } from '../../support/server-process.js';
import { DatabaseProxy } from '../../support/database-proxy.js';
import { GuardedController } from '../../support/guarded.controller.js';
import { until } from '../../support/until.js';
import { type OpenSession, openSession } from '../../support/open-session.js';

describePostgres('the feed of ended sessions', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-feed-'));
  const clock = new TestClock();
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  /** Two that reach the database, and one whose way there can be cut. */
  let here: TestApp;
  let there: TestApp;
  let remote: TestApp;
  let userId: string;

  const instance = (to: TestDatabase) =>
    createTestApp({
      database: to,
      keysFile: join(folder, 'keys.json'),
      clock,
      controllers: [GuardedController],
      env: { REVOCATION_MAX_STALENESS: '5s' },
    });

  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    proxy = await DatabaseProxy.start(database);
    here = await instance(database);
    there = await instance(database);
    remote = await instance(proxy.database);
    userId = (await here.user()).id;
  });
  afterAll(async () => {
    await proxy.stop();
    await Promise.all([here, there, remote].map((api) => api.close()));
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  const ordinary = async (api: TestApp, token: string) => api.request('GET', '/guarded', token);
  const fresh = async (api: TestApp, token: string) => api.request('GET', '/guarded/fresh', token);
  const isDead = async (api: TestApp, token: string) => {
    const response = await ordinary(api, token);
    if (response.status === 200) return false;
    expectError(response, 401, 'token_revoked');
    return true;
  };
  const logout = async (session: OpenSession) =>
    here.request('POST', '/auth/logout', session.access).expect(204);
  const ready = async (api: TestApp) => {
    // Real time, so that the comparison of the clocks is content.
    clock.advance(Date.now() - clock.now());
    const { status, body } = await api.request('GET', '/health/ready');
    return { status, failing: Object.keys((body as { error: object }).error) };
  };
  const listeners = async () => {
    const { rows } = await sql<{ pid: number }>`
      select pid from pg_stat_activity
      where datname = current_database() and application_name = 'freshgate-listener'`.execute(
      here.get(Database),
    );
    return rows;
  };
  const cutListeners = async () => {
    const { rows } = await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'freshgate-listener'`.execute(
      here.get(Database),
    );
    return rows.length;
  };
  /** Waits until all three have received a heartbeat of their own. */
  const allListen = () =>
    until(5_000, async () => {
      const rows = await listeners();
      return rows.length === 3 && [here, there, remote].every((api) => api.get(RevocationFeed).isListening);
    });

  /** The tokens that a request is about to revoke, and the request. */
  type Way = () => Promise<{ dying: string[]; end: () => Promise<unknown> }>;
  const twoSessions = async () => {
    const user = await here.user();
    const [one, two] = [await openSession(here, user.id), await openSession(here, user.id)];
    return { user, one, two, both: [one.access, two.access] };
  };
  const WAYS: [string, Way][] = [
    [
      'a logout',
      async () => {
        const { one } = await twoSessions();
        return { dying: [one.access], end: () => logout(one) };
      },
    ],
    [
      'a logout everywhere',
      async () => {
        const { one, both } = await twoSessions();
        const end = async () => here.request('POST', '/auth/logout-all', one.access).expect(204);
        return { dying: both, end };
      },
    ],
    [
      'the end of one session',
      async () => {
        const { one, two } = await twoSessions();
        const end = async () => here.request('DELETE', `/auth/sessions/${two.id}`, one.access).expect(204);
        return { dying: [two.access], end };
      },
    ],
    [
      'a change of the password',
      async () => {
        const { user, one, two } = await twoSessions();
        const body = { current_password: user.password, new_password: 'lunar-dachshund' };
        const end = async () => here.request('PUT', '/auth/password', one.access).send(body).expect(200);
        return { dying: [two.access], end };
      },
    ],
    [
      'the deletion of the account',
      async () => {
        const { one, both } = await twoSessions();
        return { dying: both, end: async () => here.request('DELETE', '/profile', one.access).expect(204) };
      },
    ],
    [
      'the reuse of a refresh token',
      async () => {
        const { one } = await twoSessions();
        const refresh = async (token: string) => {
          const response = await here.request('POST', '/auth/refresh', token).expect(200);
          return response.body as TokenPairDto;
        };
        const next = await refresh(one.refresh);
        const last = await refresh(next.refresh_token);
        const end = async () =>
          expectError(await here.request('POST', '/auth/refresh', one.refresh), 401, 'refresh_token_reused');
        return { dying: [one.access, next.access_token, last.access_token], end };
      },
    ],
  ];

  it.each(WAYS)('%s ends access tokens here at once, and elsewhere within a second', async (_, way) => {
    await allListen();
    const { dying, end } = await way();
    for (const token of dying) {
      for (const api of [here, there, remote]) expect((await ordinary(api, token)).status).toBe(200);
    }
    await end();
    for (const token of dying) expect(await isDead(here, token)).toBe(true);
    await until(1_000, async () => {
      const seen = [there, remote].flatMap((api) => dying.map((token) => isDead(api, token)));
      return (await Promise.all(seen)).every(Boolean);
    });
  });

  it('a fresh route and a refresh elsewhere refuse the tokens at once, be everything warm, and wait for no news', async () => {
    await allListen();
    for (let i = 0; i < 10; i++) {
      const session = await openSession(here, userId);
      for (const api of [there, remote]) expect((await fresh(api, session.access)).status).toBe(200);
      await logout(session);
      const answers = await Promise.all(
        [there, remote].flatMap((api) => [
          fresh(api, session.access),
          api.request('POST', '/auth/refresh', session.refresh),
        ]),
      );
      for (const answer of answers) expectError(answer, 401, 'token_revoked');
    }
  });

  it('ended sessions are known after a restart from the first request on', async () => {
    const dead: string[] = [];
    for (const [, way] of WAYS) {
      const { dying, end } = await way();
      await end();
      dead.push(...dying);
    }
    const alive = await openSession(here, userId);
    const restarted = await instance(database);
    try {
      const first = await Promise.all(dead.map((token) => isDead(restarted, token)));
      expect(first).toEqual(dead.map(() => true));
      expect((await ordinary(restarted, alive.access)).status).toBe(200);
    } finally {
      await restarted.close();
    }
  });

  it('an ordinary request sends nothing to the database, a fresh one does', async () => {
    const { access } = await openSession(here, userId);
    // Each query sends more than this. Tasks such as the queue of mails send one every few seconds.
    const QUERY_BYTES = 50;
    const sent = async (request: typeof ordinary) => {
      const before = proxy.poolBytes;
      for (let i = 0; i < 100; i++) expect((await request(remote, access)).status).toBe(200);
      return proxy.poolBytes - before;
    };
    expect(await sent(ordinary)).toBeLessThan(50 * QUERY_BYTES);
    expect(await sent(fresh)).toBeGreaterThan(100 * QUERY_BYTES);
  });

  it('misses nothing, however often its connections are cut while sessions end', async () => {
    const alive = await openSession(here, userId);
    const ending: OpenSession[] = [];
    for (let i = 0; i < 36; i++) ending.push(await openSession(here, userId));
    const statuses = new Set<number>();
    const load = { over: false };
    const traffic = [there, remote].map(async (api) => {
      while (!load.over) statuses.add((await ordinary(api, alive.access)).status);
    });
    let cuts = 0;
    for (let i = 0; i < ending.length; i += 6) {
      const [cut] = await Promise.all([cutListeners(), ...ending.slice(i, i + 6).map(logout)]);
      cuts += cut;
      // The next cut meets connections that are coming back.
      await until(3_000, async () => (await listeners()).length > 0);
    }
    await until(2_500, async () => {
      const seen = [there, remote].flatMap((api) => ending.map(({ access }) => isDead(api, access)));
      return (await Promise.all(seen)).every(Boolean);
    });
    load.over = true;
    await Promise.all(traffic);
    expect(cuts).toBeGreaterThan(6);
    expect([...statuses]).toEqual([200]);
  });

  it('reads each second where LISTEN is cut, and stays ready past the longest silence', async () => {
    await allListen();
    const alive = await openSession(here, userId);
    proxy.cut('listener');
    const began = performance.now();
    try {
      while (performance.now() - began < 6_000) {
        const session = await openSession(here, userId);
        await logout(session);
        await until(2_000, () => isDead(remote, session.access));
        expect(await ready(remote)).toEqual({ status: 200, failing: [] });
        expect((await ordinary(remote, alive.access)).status).toBe(200);
      }
    } finally {
      proxy.heal();
    }
    await allListen();
  });

  it('notices a LISTEN whose connection is silent, and reads instead', async () => {
    await allListen();
    proxy.silence('listener');
    try {
      const session = await openSession(here, userId);
      await logout(session);
      await until(5_000, () => isDead(remote, session.access));
    } finally {
      proxy.heal();
    }
    const later = await openSession(here, userId);
    await logout(later);
    await until(2_000, () => isDead(remote, later.access));
  });

  it('says what it does not know while the database is cut off, and recovers without a restart', async () => {
    const alive = await openSession(here, userId);
    const ended = await openSession(here, userId);
    await until(2_000, async () => (await fresh(remote, alive.access)).status === 200);
    proxy.cut('listener', 'pool');
    const began = performance.now();
    const since = () => performance.now() - began;

    const refused = await fresh(remote, alive.access);
    expectError(refused, 503, 'database_unavailable');
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
    await logout(ended);
    const unready = { at: Infinity, feedAt: Infinity };
    let response = await ordinary(remote, alive.access);
    for (; response.status === 200 && since() < 9_000; response = await ordinary(remote, alive.access)) {
      const { status, failing } = await ready(remote);
      if (status === 503) unready.at = Math.min(unready.at, since());
      if (failing.includes('revocations')) unready.feedAt = Math.min(unready.feedAt, since());
      await delay(20);
    }
    // The last read may lie up to a beat before the cut.
    expect(since()).toBeGreaterThan(3_900);
    expect(since()).toBeLessThan(6_000);
    expect(unready.at).toBeLessThan(5_000);
    expect(unready.feedAt).toBeLessThan(5_000);
    expectError(response, 503, 'revocation_feed_lost');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);

    proxy.heal();
    const firsts = new Set<number>();
    await until(5_000, async () => {
      const dead = await ordinary(remote, ended.access);
      firsts.add(dead.status);
      return dead.status !== 503;
    });
    expect([...firsts]).toEqual([503, 401]);
    await until(1_000, async () => (await ordinary(remote, alive.access)).status === 200);
    expect((await fresh(remote, alive.access)).status).toBe(200);
    expect(await ready(remote)).toEqual({ status: 200, failing: [] });
  });
});

describePostgres('connections to the database that are silent', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-feed-'));
  const clock = new TestClock();
  let database: TestDatabase;
  let proxy: DatabaseProxy;
  let here: TestApp;
  let remote: TestApp;

  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    proxy = await DatabaseProxy.start(database);
    const env = { REVOCATION_MAX_STALENESS: '5s' };
    const options = { keysFile: join(folder, 'keys.json'), clock, controllers: [GuardedController], env };
    here = await createTestApp({ ...options, database });
    remote = await createTestApp({ ...options, database: proxy.database });
  });
  afterAll(async () => {
    await proxy.stop();
    await Promise.all([here, remote].map((api) => api.close()));
    await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('are noticed: unready, then closed, then given up for new ones that know all', async () => {
    const user = await here.user();
    const alive = await openSession(here, user.id);
    const ended = await openSession(here, user.id);
    const get = (path: string, token?: string) => remote.request('GET', path, token).timeout(12_000);
    // As many connections as the pool has, all of them idle.
    await Promise.all(Array.from({ length: 40 }, () => get('/guarded/fresh', alive.access).expect(200)));
    proxy.silence('listener', 'pool');
    const began = performance.now();
    await here.request('POST', '/auth/logout', ended.access).expect(204);

    const unready = await get('/health/ready');
    expect(unready.status).toBe(503);
    expect(performance.now() - began).toBeLessThan(5_000);
    expectError(await get('/guarded/fresh', alive.access), 503, 'database_unavailable');
    await until(8_000, async () => (await get('/guarded', alive.access)).status === 503);
    expectError(await get('/guarded', alive.access), 503, 'revocation_feed_lost');

    proxy.heal();
    const seen = new Set<number>();
    await until(12_000, async () => {
      const dead = await get('/guarded', ended.access);
      seen.add(dead.status);
      return dead.status !== 503;
    });
    expect([...seen]).toEqual([503, 401]);
    await until(1_000, async () => (await get('/guarded', alive.access)).status === 200);
    await get('/guarded/fresh', alive.access).expect(200);
  }, 45_000);
});

describePostgres('a LISTEN that is cut again while it reads what it missed', () => {
  it('does not end the process', async () => {
    const database = await createTestDatabase('postgres');
    const blocker = new pg.Client({ connectionString: database.url });
    const observer = new pg.Client({ connectionString: database.url });
    try {
      const server = await start({ env: { DATABASE_URL: database.url } });
      const isReady = async () => (await server.request('GET', '/health/ready')).status === 200;
      await Promise.all([blocker.connect(), observer.connect()]);
      /** How many there were whose last statement was this one. */
      const cut = async (statement: string, state: 'idle' | 'active') => {
        const { rows } = await observer.query(
          `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database()
             and application_name = 'freshgate-listener' and query like $1
             and state = $2 and state_change < clock_timestamp() - interval '200 ms'`,
          [statement, state],
        );
        return rows.length;
      };
      await until(5_000, async () => (await cut('select pg_is_in_recovery%', 'idle')) === 1);
      await blocker.query('begin');
      await blocker.query('lock table sessions in access exclusive mode');
      // Back, and waiting for the rows.
      await until(5_000, async () => (await cut('declare%', 'active')) === 1);
      await blocker.query('commit');
      await until(5_000, isReady);
      expect(await server.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    } finally {
      await Promise.all([blocker.end(), observer.end()]);
      await database.drop();
    }
  });
});

describePostgres('a LISTEN whose connection is reset', () => {
  it('does not end the process', async () => {
    const database = await createTestDatabase('postgres');
    const proxy = await DatabaseProxy.start(database);
    try {
      const server = await start({ env: { DATABASE_URL: proxy.database.url } });
      const isReady = async () => (await server.request('GET', '/health/ready')).status === 200;
      for (let round = 0; round < 3; round++) {
        await until(5_000, async () => (await isReady()) && proxy.open('listener') === 1);
        proxy.reset('listener');
        await until(5_000, async () => proxy.open('listener') === 1);
      }
      expect(await isReady()).toBe(true);
      expect(await server.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    } finally {
      await proxy.stop();
      await database.drop();
    }
  });
});
