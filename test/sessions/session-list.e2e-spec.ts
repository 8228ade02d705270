import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { type SessionDto } from '../../src/auth/dto/session.dto.js';
import { Logins } from '../../src/auth/index.js';
import { Database, Purger } from '../../src/database/index.js';
import { RevokedSessions, REVOCATION_LEEWAY_MS } from '../../src/sessions/revoked-sessions.js';
import { type Session } from '../../src/sessions/sessions.table.js';
import { TEST_CALLER } from '../../src/testing/token-agents.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import {
  createTestDatabase,
  describeEachEngine,
  describePostgres,
  type TestDatabase,
} from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { type OpenSession, openSession } from '../support/open-session.js';

const MINUTE = 60_000;
const ACCESS_TTL = 15 * MINUTE;

describeEachEngine('sessions', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  const list = async (token: string) => {
    const response = await api.request('GET', '/auth/sessions', token).expect(200);
    expect(response.headers['cache-control']).toBe('no-store');
    return response.body as SessionDto[];
  };
  const end = async (token: string, id: string) => api.request('DELETE', `/auth/sessions/${id}`, token);
  const idOf = async (login: TestLogin) =>
    (await list(login.access)).find(({ current }) => current)?.id ?? 'none is current';
  const expectDead = async ({ access, refresh }: Pick<OpenSession, 'access' | 'refresh'>) => {
    expectError(await api.request('GET', '/auth/sessions', access), 401, 'token_revoked');
    expectError(await api.request('POST', '/auth/refresh', refresh), 401, 'token_revoked');
  };

  describe('the list', () => {
    it('shows when, where and whether current, and nothing else', async () => {
      const began = api.clock.now();
      const user = await api.user();
      const login = await user.login();
      api.clock.advance('2m');
      await login.rotate();
      const [session, ...others] = await list(login.access);
      const at = (milliseconds: number) => new Date(milliseconds).toISOString();
      expect(others).toEqual([]);
      expect(session).toEqual({
        id: expect.stringMatching(/^[\da-f]{8}-[\da-f]{4}-7[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/),
        created_at: at(began),
        last_used_at: at(began + 2 * MINUTE),
        auth_time: began / 1000,
        expires_at: at(began + 30 * 24 * 60 * MINUTE),
        ip: '127.0.0.1',
        user_agent: null,
        current: true,
      });
      api.clock.advance('1m');
      await login.reauthenticate();
      expect(await list(login.access)).toEqual([
        { ...session, last_used_at: at(api.clock.now()), auth_time: api.clock.now() / 1000 },
      ]);
    });

    it('shows the device that logged in, not the one that asks', async () => {
      const { username, password } = await api.user();
      const response = await api
        .request('POST', '/auth/login')
        .set('User-Agent', 'a phone')
        .send({ username, password });
      const sessions = await api
        .request('GET', '/auth/sessions', response.body.access_token as string)
        .set('User-Agent', 'a laptop');
      expect(sessions.body).toMatchObject([{ user_agent: 'a phone', ip: '127.0.0.1' }]);
    });

    it('puts the one used last first, and marks the one that asks', async () => {
      const user = await api.user();
      const first = await user.login();
      api.clock.advance('1s');
      const second = await openSession(api, user.id);
      api.clock.advance('1s');
      const third = await openSession(api, user.id);
      const firstId = await idOf(first);
      expect((await list(second.access)).map(({ id, current }) => [id, current])).toEqual([
        [third.id, false],
        [second.id, true],
        [firstId, false],
      ]);
      api.clock.advance('1s');
      await first.rotate();
      expect((await list(first.access)).map(({ id, current }) => [id, current])).toEqual([
        [firstId, true],
        [third.id, false],
        [second.id, false],
      ]);
    });

    it('shows no session that was revoked, idle too long, or expired', async () => {
      const user = await api.user();
      const ended = await openSession(api, user.id);
      const idle = await openSession(api, user.id);
      const used = await openSession(api, user.id);
      api.clock.advance('13d');
      await api.request('POST', '/auth/refresh', used.refresh).expect(200);
      const late = await openSession(api, user.id);
      expect((await list(late.access)).map(({ id }) => id).toSorted()).toEqual(
        [ended.id, idle.id, used.id, late.id].toSorted(),
      );
      await api.request('POST', '/auth/logout', ended.access).expect(204);
      expect((await list(late.access)).map(({ id }) => id)).not.toContain(ended.id);
      api.clock.advance('1d');
      const now = await openSession(api, user.id);
      expect((await list(now.access)).map(({ id }) => id)).toEqual([now.id, late.id, used.id]);
      api.clock.advance('16d');
      const last = await openSession(api, user.id);
      expect((await list(last.access)).map(({ id }) => id)).toEqual([last.id]);
    });

    it('does not show the sessions of another user', async () => {
      const [mine, theirs] = [await api.login(), await api.login()];
      expect(await list(mine.access)).toHaveLength(1);
      expect((await list(mine.access)).map(({ id }) => id)).not.toContain(await idOf(theirs));
    });
  });

  describe('the end of one session', () => {
    it('ends it, and no other', async () => {
      const user = await api.user();
      const [mine, lost] = [await openSession(api, user.id), await openSession(api, user.id)];
      expect((await end(mine.access, lost.id)).status).toBe(204);
      await expectDead(lost);
      expect((await list(mine.access)).map(({ id }) => id)).toEqual([mine.id]);
    });

    it('may be the end of the one that asks', async () => {
      const user = await api.user();
      const [mine, other] = [await openSession(api, user.id), await openSession(api, user.id)];
      expect((await end(mine.access, mine.id)).status).toBe(204);
      await expectDead(mine);
      expect((await list(other.access)).map(({ id }) => id)).toEqual([other.id]);
    });

    it('is refused for the session of another, which goes on', async () => {
      const [mine, theirs] = [await api.login(), await api.login()];
      expectError(await end(mine.access, await idOf(theirs)), 404, 'not_found');
      await theirs.rotate();
      expect(await list(theirs.access)).toHaveLength(1);
    });

    it.each([
      ['an unknown id', randomUUID()],
      ['no id at all', 'session'],
      ['an id with a NUL in it', '%00'],
      ['an id that is not UTF-8', '%ff'],
      ['a very long id', 'x'.repeat(90)],
    ])('is refused for %s', async (_, id) => {
      const { access } = await api.login();
      expectError(await end(access, id), 404, 'not_found');
    });

    it('is refused for one that has ended, whatever ended it', async () => {
      const user = await api.user();
      const mine = await openSession(api, user.id);
      const [loggedOut, byUser] = [await openSession(api, user.id), await openSession(api, user.id)];
      await api.request('POST', '/auth/logout', loggedOut.access).expect(204);
      expect((await end(mine.access, byUser.id)).status).toBe(204);
      for (const { id } of [loggedOut, byUser]) expectError(await end(mine.access, id), 404, 'not_found');
    });

    it('requires a fresh token', async () => {
      const login = await api.login();
      const id = await idOf(login);
      await login.rotate();
      expectError(await end(login.access, id), 401, 'fresh_token_required');
      expect(await idOf(login)).toBe(id);
    });
  });

  describe('a logout everywhere', () => {
    it('ends every session of the user, for a token that is not fresh too, and none of another', async () => {
      const stranger = await api.login();
      const login = await api.login();
      const other = await openSession(api, login.user.id);
      await login.rotate();
      await api.request('POST', '/auth/logout-all', login.access).expect(204);
      await expectDead(login);
      await expectDead(other);
      await stranger.rotate();
      const again = await login.user.login();
      expect(await list(again.access)).toHaveLength(1);
    });

    it('requires a token of a session that is not revoked', async () => {
      const login = await api.login();
      await api.request('POST', '/auth/logout-all', login.access).expect(204);
      expectError(await api.request('POST', '/auth/logout-all', login.access), 401, 'token_revoked');
    });
  });

  describe('beyond the hundredth', () => {
    it('a login ends the oldest, whose access token dies at once', async () => {
      const user = await api.user();
      const sessions: OpenSession[] = [];
      for (let i = 0; i < 100; i++) {
        sessions.push(await openSession(api, user.id));
        api.clock.advance(1_000);
      }
      const [oldest, second] = sessions as [OpenSession, OpenSession];
      // What counts is the login, not the last use.
      await api.request('POST', '/auth/refresh', oldest.refresh).expect(200);
      expect(await list(oldest.access)).toHaveLength(100);
      const newest = await user.login();
      await expectDead(oldest);
      const ids = (await list(newest.access)).map(({ id }) => id);
      expect(ids).toHaveLength(100);
      expect(ids).toEqual(expect.arrayContaining([second.id, await idOf(newest)]));
      await api.request('POST', '/auth/refresh', second.refresh).expect(200);
    });

    it('logins at the same time leave a hundred, all of which work', async () => {
      const user = await api.user();
      for (let i = 0; i < 98; i++) await openSession(api, user.id);
      api.clock.advance(1_000);
      const logins = await Promise.all(Array.from({ length: 6 }, () => user.login()));
      for (const { access } of logins) expect(await list(access)).toHaveLength(100);
    });

    it('parallel logins that do not see each other leave no more than a hundred either', async () => {
      const { id } = await api.user();
      for (let i = 0; i < 75; i++) await openSession(api, id);
      api.clock.advance(1_000);
      const open = async () => api.get(Logins).open(id, TEST_CALLER);
      const logins = await Promise.all(Array.from({ length: 40 }, open));
      for (const { access_token } of logins.slice(-3)) expect(await list(access_token)).toHaveLength(100);
    });

    it('sessions that are over are not counted', async () => {
      const user = await api.user();
      for (let i = 0; i < 60; i++) await openSession(api, user.id);
      api.clock.advance('15d');
      const [oldest] = [await openSession(api, user.id)];
      for (let i = 0; i < 50; i++) await openSession(api, user.id);
      await user.login();
      expect(await list(oldest.access)).toHaveLength(52);
    });
  });
});

describeEachEngine('the purge of sessions', (engine) => {
  let api: TestApp;
  let userId: string;
  beforeAll(async () => {
    api = await createTestApp({ engine });
    // The database's clock goes along with the one that the tests move.
    jest.spyOn(api.get(Database), 'clockSkew').mockResolvedValue(0);
    userId = (await api.user()).id;
  });
  afterAll(() => api.close());

  const row = (over: Partial<Session>): Session => {
    const now = api.clock.now();
    return {
      id: randomUUID(),
      user_id: userId,
      acr: 'pwd',
      amr: 'pwd',
      raised_from: null,
      generation: 0,
      rotated_at: now,
      rotation_key_hash: null,
      idle_expires_at: now + MINUTE,
      expires_at: now + MINUTE,
      auth_time: now,
      created_at: now,
      last_used_at: now,
      access_until: now,
      refresh_window_ends_at: 0,
      refresh_count: 0,
      ip: null,
      user_agent: null,
      revoked_at: null,
      revoke_cause: null,
      ...over,
    };
  };
  const insert = async (rows: Session[], to = api) => {
    // SQLite takes some thousands of parameters in one statement.
    for (let i = 0; i < rows.length; i += 200) {
      await to
        .get(Database)
        .insertInto('sessions')
        .values(rows.slice(i, i + 200))
        .execute();
    }
  };
  const purge = () => api.get(Purger).run();
  const kept = async () => {
    const rows = await api.get(Database).selectFrom('sessions').select('id').execute();
    return rows.map(({ id }) => id);
  };
  const dead = () => {
    const past = api.clock.now() - REVOCATION_LEEWAY_MS - 1;
    return { revoked_at: past, access_until: past };
  };

  it('removes what is revoked or expired once no access token of it can live, a day later, and nothing before', async () => {
    const now = api.clock.now();
    const over = now - REVOCATION_LEEWAY_MS - 1;
    const removed = [
      row({ revoked_at: over, access_until: over }),
      row({ idle_expires_at: over, expires_at: over, access_until: over }),
    ];
    const remaining = [
      row({ revoked_at: over, access_until: over + 1 }),
      row({ revoked_at: over + 1, access_until: over }),
      row({ idle_expires_at: over, expires_at: over, access_until: over + 1 }),
      row({ idle_expires_at: over, access_until: over }),
      row({ access_until: over }),
      row({ access_until: now + ACCESS_TTL }),
    ];
    await insert([...removed, ...remaining]);
    expect(await purge()).toBe(removed.length);
    expect((await kept()).toSorted()).toEqual(remaining.map(({ id }) => id).toSorted());
    expect(await purge()).toBe(0);
  });

  it('goes in batches until nothing is left, however much there is', async () => {
    await insert(Array.from({ length: 1_200 }, () => row(dead())));
    const before = (await kept()).length;
    expect(await purge()).toBe(1_200);
    expect(await kept()).toHaveLength(before - 1_200);
  });

  it('does not wait for sessions to be used, nor stops requests that come meanwhile', async () => {
    await insert(Array.from({ length: 1_200 }, () => row(dead())));
    const session = await openSession(api, userId);
    const [removed, ...answers] = await Promise.all([
      purge(),
      ...Array.from({ length: 10 }, async () => api.request('GET', '/auth/sessions', session.access)),
    ]);
    expect(removed).toBe(1_200);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
  });

  it('keeps memory and table flat while sessions come and go', async () => {
    const sizes: [number, number][] = [];
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 10; i++) {
        const session = await openSession(api, userId);
        await api.request('POST', '/auth/logout', session.access).expect(204);
      }
      api.clock.advance(ACCESS_TTL + REVOCATION_LEEWAY_MS + 1);
      await purge();
      // On PostgreSQL the news of the last logout may come after the purge, the clock having jumped.
      for (let i = 0; i < 100 && api.get(RevokedSessions).size > 0; i++) {
        await setTimeout(20);
        await purge();
      }
      sizes.push([(await kept()).length, api.get(RevokedSessions).size]);
    }
    expect(sizes).toEqual(sizes.map(() => sizes[0]));
    expect(sizes[0]?.[1]).toBe(0);
  });

  it('spares the tombstones of a deleted account until no access token of it can live', async () => {
    const user = await api.user();
    const [one, two] = [await openSession(api, user.id), await openSession(api, user.id)];
    api.clock.advance('5m');
    // The latest token of all counts, and not the first.
    const { body } = await api.request('POST', '/auth/refresh', two.refresh).expect(200);
    await api.request('DELETE', '/profile', one.access).expect(204);
    const tombstones = async () => (await kept()).filter((id) => [one.id, two.id].includes(id));
    api.clock.advance(10 * MINUTE - 1_000);
    await purge();
    expect((await tombstones()).toSorted()).toEqual([one.id, two.id].toSorted());
    for (const token of [one.access, body.access_token as string]) {
      expectError(await api.request('GET', '/auth/sessions', token), 401, 'token_revoked');
    }
    api.clock.advance(1_000 + REVOCATION_LEEWAY_MS + 1);
    await purge();
    expect(await tombstones()).toEqual([two.id]);
    api.clock.advance(5 * MINUTE);
    await purge();
    expect(await tombstones()).toEqual([]);
  });
});

describePostgres('two instances that purge at once', () => {
  let database: TestDatabase;
  let one: TestApp;
  let two: TestApp;
  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    one = await createTestApp({ database });
    two = await createTestApp({ database });
  });
  afterAll(async () => {
    await Promise.all([one.close(), two.close()]);
    await database.drop();
  });

  it('remove everything between them, once, and neither fails', async () => {
    const user = await one.user();
    const sessions = () => two.get(Database).selectFrom('sessions').select('id').execute();
    for (let round = 0; round < 5; round++) {
      for (let i = 0; i < 20; i++) await openSession(one, user.id);
      await one.get(Database).updateTable('sessions').set({ revoked_at: 1, access_until: 1 }).execute();
      // Real time: nothing is purged while the clocks differ.
      for (const { clock } of [one, two]) clock.advance(Date.now() - clock.now());
      const removed = await Promise.all([one, two, one, two].map((api) => api.get(Purger).run()));
      expect(removed.reduce((sum, each) => sum + each, 0)).toBe(20);
      expect(await sessions()).toEqual([]);
    }
  });
});
