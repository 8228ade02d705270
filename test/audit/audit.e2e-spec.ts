import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { randomUUID } from 'node:crypto';
import { type Response, type Test } from 'supertest';
import { type AuditEventsTable } from '../../src/audit/audit.table.js';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { Database } from '../../src/database/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { openSession } from '../support/open-session.js';

const PASSWORD = 'space-corgi';
const NEW_PASSWORD = 'lunar-dachshund';
const WRONG_PASSWORD = 'martian-poodle';
const AGENT = 'audit-test/1.0';

type Row = AuditEventsTable;

describeEachEngine('the audit trail', (engine) => {
  let api: TestApp;
  let seen: Set<string>;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  const all = async (): Promise<Row[]> => api.get(Database).selectFrom('audit_events').selectAll().execute();
  beforeEach(async () => {
    seen = new Set((await all()).map(({ id }) => id));
  });

  /** The rows written since this was last asked. */
  const news = async () => {
    const rows = (await all()).filter(({ id }) => !seen.has(id));
    for (const { id } of rows) seen.add(id);
    return rows;
  };
  const send = async (test: Test): Promise<Response> => test.set('User-Agent', AGENT);
  /** The request left exactly one row, which says exactly this. */
  const expectOne = async (
    response: Response,
    row: Pick<Row, 'event'> & Partial<Row>,
    status = response.ok ? response.status : Number.NaN,
  ) => {
    expect(response.status).toBe(status);
    expect(await news()).toEqual([
      {
        id: expect.any(String),
        at: api.clock.now(),
        outcome: 'success',
        cause: null,
        actor_id: null,
        subject_id: null,
        session_id: null,
        ip: '127.0.0.1',
        user_agent: AGENT,
        request_id: response.headers['x-request-id'],
        ...row,
      },
    ]);
  };
  const expectNone = async (response: Response, status: number) => {
    expect(response.status).toBe(status);
    expect(await news()).toEqual([]);
  };

  const newName = () => `audited-${randomUUID().slice(0, 8)}`;
  const register = async (username: string) =>
    send(api.request('POST', '/auth/register').send({ username, password: PASSWORD }));
  const login = async (username: string, password = PASSWORD) =>
    send(api.request('POST', '/auth/login').send({ username, password }));
  const refresh = async (token: string, key?: string, agent = AGENT) => {
    const test = api.request('POST', '/auth/refresh', token).set('User-Agent', agent);
    return key === undefined ? test : test.set('Idempotency-Key', key);
  };
  const reauthenticate = async (token: string, password: string) =>
    send(api.request('POST', '/auth/reauthenticate', token).send({ password }));
  const pairOf = ({ body }: Response) => body as TokenPairDto;
  /** A user with one session, whose own rows do not count as news. */
  const arrange = async () => {
    const user = await api.user();
    const session = await openSession(api, user.id);
    await news();
    const self = { actor_id: user.id, subject_id: user.id, session_id: session.id };
    return { user, session, self };
  };

  describe('has one row for', () => {
    it('a registration, and none for a name that is taken', async () => {
      const username = newName();
      const response = await register(username);
      const { id } = response.body as { id: string };
      await expectOne(response, { event: 'user_created', subject_id: id }, 201);
      await expectNone(await register(username), 409);
    });

    it('a login', async () => {
      const { user } = await arrange();
      const response = await login(user.username);
      const session_id = claimsOf(pairOf(response).access_token).sid;
      const self = { actor_id: user.id, subject_id: user.id, session_id };
      await expectOne(response, { event: 'authn_login_success', ...self });
    });

    it('a failed login, of a known and of an unknown username', async () => {
      const { user } = await arrange();
      const failed = { event: 'authn_login_fail', outcome: 'fail' } as const;
      const wrong = await login(user.username, WRONG_PASSWORD);
      await expectOne(wrong, { ...failed, cause: 'wrong_password', subject_id: user.id }, 401);
      await expectOne(await login(newName()), { ...failed, cause: 'no_such_user' }, 401);
    });

    it('the session that a login ends beyond the hundredth, beside that of the login', async () => {
      const { user, session, self } = await arrange();
      api.clock.advance('1s');
      for (let i = 0; i < 99; i++) await openSession(api, user.id);
      api.clock.advance('1s');
      const response = await login(user.username);
      const rows = await news();
      expect(rows).toHaveLength(2);
      expect(rows).toEqual(
        expect.arrayContaining([
          expect.objectContaining({ event: 'authn_login_success' }),
          expect.objectContaining({ event: 'session_revoked', cause: 'too_many_sessions', ...self }),
        ]),
      );
      const requestIds = rows.map(({ request_id }) => request_id);
      expect(requestIds).toEqual(rows.map(() => response.headers['x-request-id']));
      expect(rows.map(({ session_id }) => session_id)).toContain(session.id);
    });

    it('a refresh that was repeated, once for each generation, and none for one that simply rotated', async () => {
      const { session, self } = await arrange();
      const renewed = { event: 'session_renewed', ...self } as const;
      const first = await refresh(session.refresh);
      await expectNone(first, 200);
      await expectOne(await refresh(session.refresh), { ...renewed, cause: 'concurrent' });
      await expectNone(await refresh(session.refresh), 200);
      const elsewhere = await refresh(session.refresh, undefined, 'another-browser/1.0');
      await expectOne(elsewhere, {
        ...renewed,
        cause: 'concurrent_elsewhere',
        user_agent: 'another-browser/1.0',
      });
      const token = pairOf(first).refresh_token;
      await expectNone(await refresh(token, 'a'), 200);
      await expectOne(await refresh(token, 'a'), { ...renewed, cause: 'replayed' });
      for (let i = 0; i < 5; i++) await expectNone(await refresh(token, 'a'), 200);
    });

    it('the reuse of a refresh token, and none for later attempts with it', async () => {
      const { session, self } = await arrange();
      await refresh(session.refresh, 'a');
      await news();
      const reuse = { event: 'authn_token_reuse', outcome: 'fail', cause: 'reuse', ...self } as const;
      await expectOne(await refresh(session.refresh, 'b'), reuse, 401);
      await expectNone(await refresh(session.refresh, 'b'), 401);
      await expectNone(await reauthenticate(session.refresh, PASSWORD), 401);
    });

    it('the reuse of a refresh token with a password', async () => {
      const { session, self } = await arrange();
      await refresh(session.refresh, 'a');
      await news();
      const reuse = { event: 'authn_token_reuse', outcome: 'fail', cause: 'reuse', ...self } as const;
      await expectOne(await reauthenticate(session.refresh, WRONG_PASSWORD), reuse, 401);
    });

    it('a refresh token that is ahead of a restored database', async () => {
      const { session, self } = await arrange();
      const { refresh_token } = pairOf(await refresh(session.refresh));
      await news();
      await api
        .get(Database)
        .updateTable('sessions')
        .set({ generation: 0 })
        .where('id', '=', session.id)
        .execute();
      const ended = { event: 'session_revoked', outcome: 'fail', cause: 'rolled_back', ...self } as const;
      await expectOne(await refresh(refresh_token), ended, 401);
    });

    it('a password proved again, and one that was wrong', async () => {
      const { user, session, self } = await arrange();
      const failed = {
        event: 'authn_reauthentication_fail',
        outcome: 'fail',
        cause: 'wrong_password',
        subject_id: user.id,
        session_id: session.id,
      } as const;
      await expectOne(await reauthenticate(session.refresh, WRONG_PASSWORD), failed, 401);
      const proved = { event: 'authn_reauthentication_success', cause: 'rotated', ...self } as const;
      await expectOne(await reauthenticate(session.refresh, PASSWORD), proved);
    });

    it('a change of the password, and one with the wrong password', async () => {
      const { user, session, self } = await arrange();
      await openSession(api, user.id);
      const change = async (current_password: string) => {
        const body = { current_password, new_password: NEW_PASSWORD };
        return send(api.request('PUT', '/auth/password', session.access).send(body));
      };
      const failed = {
        event: 'authn_password_change_fail',
        outcome: 'fail',
        cause: 'wrong_password',
        subject_id: user.id,
        session_id: session.id,
      } as const;
      await expectOne(await change(WRONG_PASSWORD), failed, 401);
      await expectOne(await change(PASSWORD), { event: 'authn_password_change', ...self });
    });

    it('a logout, and none for one of a session that has ended', async () => {
      const { session, self } = await arrange();
      const logout = async () => send(api.request('POST', '/auth/logout', session.refresh));
      await expectOne(await logout(), { event: 'session_revoked', cause: 'logout', ...self }, 204);
      await expectNone(await logout(), 204);
    });

    it('a logout everywhere', async () => {
      const { user, session, self } = await arrange();
      await openSession(api, user.id);
      const response = await send(api.request('POST', '/auth/logout-all', session.access));
      await expectOne(response, { event: 'session_revoked', cause: 'logout_all', ...self }, 204);
    });

    it('the revocation of one session, and nothing for an unknown session', async () => {
      const { user, session, self } = await arrange();
      const { id } = await openSession(api, user.id);
      const stranger = await api.login();
      await news();
      const end = async (of: string) => send(api.request('DELETE', `/auth/sessions/${of}`, session.access));
      const ended = { event: 'session_revoked', cause: 'revoked_by_user', ...self, session_id: id } as const;
      await expectOne(await end(id), ended, 204);
      await expectNone(await end(id), 404);
      await expectNone(await end(claimsOf(stranger.access).sid), 404);
    });

    it('the deletion of an account, which it outlives', async () => {
      const { session, self } = await arrange();
      const response = await send(api.request('DELETE', '/profile', session.access));
      await expectOne(response, { event: 'user_deleted', ...self }, 204);
    });

    it('a request without a user agent, and one with a very long one', async () => {
      const { user, session } = await arrange();
      await api.request('POST', '/auth/logout', session.refresh).expect(204);
      expect(await news()).toMatchObject([{ user_agent: null, ip: '127.0.0.1' }]);
      const { username, password } = user;
      await api
        .request('POST', '/auth/login')
        .set('User-Agent', 'x'.repeat(5_000))
        .send({ username, password })
        .expect(200);
      expect(await news()).toMatchObject([{ user_agent: 'x'.repeat(256) }]);
    });

    it('no request that only reads, and no forged or expired token', async () => {
      const { session } = await arrange();
      await expectNone(await send(api.request('GET', '/auth/sessions', session.access)), 200);
      await expectNone(await refresh(`${session.refresh.slice(0, -4)}AAAA`), 401);
      api.clock.advance('14d');
      await expectNone(await refresh(session.refresh), 401);
    });
  });

  describe('and the change', () => {
    /** Makes a statement fail while the condition holds of the new row. */
    const sabotage = async (on: 'insert on audit_events' | 'update on sessions', when: string) => {
      const db = api.get(Database);
      if (engine === 'sqlite') {
        await sql
          .raw(`create trigger sabotage before ${on} when ${when} begin select raise(abort, 'sabotage'); end`)
          .execute(db);
        return;
      }
      await sql
        .raw(
          `create or replace function sabotage() returns trigger language plpgsql
             as $$ begin raise exception 'sabotage'; end $$`,
        )
        .execute(db);
      await sql
        .raw(`create trigger sabotage before ${on} for each row when (${when}) execute function sabotage()`)
        .execute(db);
    };
    const table = { name: '' };
    const repair = async () => {
      const on = engine === 'postgres' ? ` on ${table.name}` : '';
      await sql.raw(`drop trigger if exists sabotage${on}`).execute(api.get(Database));
    };
    afterEach(repair);

    it('are one transaction: a change that cannot be recorded is not made', async () => {
      table.name = 'audit_events';
      const { user, session } = await arrange();
      const other = await openSession(api, user.id);
      const { refresh_token } = pairOf(await refresh(session.refresh));
      const username = newName();
      await news();
      await sabotage('insert on audit_events', "new.event <> 'nothing'");
      const password = { current_password: PASSWORD, new_password: NEW_PASSWORD };
      const acts: [string, () => Promise<Response>][] = [
        ['register', () => register(username)],
        ['login', () => login(user.username)],
        ['reauthenticate', () => reauthenticate(refresh_token, PASSWORD)],
        ['reuse', () => refresh(session.refresh, 'b')],
        ['password', () => send(api.request('PUT', '/auth/password', session.access).send(password))],
        ['logout', () => send(api.request('POST', '/auth/logout', session.access))],
        ['logout-all', () => send(api.request('POST', '/auth/logout-all', session.access))],
        ['end', () => send(api.request('DELETE', `/auth/sessions/${other.id}`, session.access))],
        ['delete', () => send(api.request('DELETE', '/profile', session.access))],
      ];
      for (const [name, act] of acts) {
        const { status } = await act();
        expect([name, status]).toEqual([name, 500]);
      }
      await repair();
      expect(await news()).toEqual([]);
      // Nothing has changed: the name is free, the password the old one, the sessions live at their generations.
      await register(username).then(({ status }) => expect(status).toBe(201));
      const sessions = await api.request('GET', '/auth/sessions', other.access).expect(200);
      expect((sessions.body as { id: string }[]).map(({ id }) => id).toSorted()).toEqual(
        [session.id, other.id].toSorted(),
      );
      expect((await refresh(refresh_token)).status).toBe(200);
      expect((await login(user.username)).status).toBe(200);
    });

    it('are one transaction: a change that is rolled back leaves no row', async () => {
      table.name = 'sessions';
      const { user, session } = await arrange();
      for (let i = 0; i < 99; i++) await openSession(api, user.id);
      api.clock.advance('1s');
      await sabotage('update on sessions', "new.revoke_cause = 'too_many_sessions'");
      // The row of the login is written before the oldest session is ended.
      await expectNone(await login(user.username), 500);
      await repair();
      const sessions = await api.request('GET', '/auth/sessions', session.access).expect(200);
      expect(sessions.body).toHaveLength(100);
      expect((await login(user.username)).status).toBe(200);
      expect(await news()).toHaveLength(2);
    });
  });

  it('holds no token, no part of one and no password of a whole story', async () => {
    const username = newName();
    const told: string[] = [PASSWORD, NEW_PASSWORD, WRONG_PASSWORD];
    const keep = (response: Response, status = 200) => {
      expect(response.status).toBe(status);
      const pair = pairOf(response);
      if (status === 200) told.push(pair.access_token, pair.refresh_token);
      return pair;
    };
    await register(username);
    await login(username, WRONG_PASSWORD);
    // A password that is typed into the field for the name must not be recorded.
    await login(PASSWORD, WRONG_PASSWORD);
    const one = keep(await login(username));
    const two = keep(await refresh(one.refresh_token, 'the-key-of-a-rotation'));
    told.push('the-key-of-a-rotation');
    keep(await refresh(one.refresh_token, 'the-key-of-a-rotation'));
    const three = keep(await reauthenticate(two.refresh_token, PASSWORD));
    keep(await reauthenticate(three.refresh_token, WRONG_PASSWORD), 401);
    const body = { current_password: PASSWORD, new_password: NEW_PASSWORD };
    const four = keep(await send(api.request('PUT', '/auth/password', three.access_token).send(body)));
    keep(await refresh(one.refresh_token), 401);
    const five = keep(await login(username, NEW_PASSWORD));
    await send(api.request('POST', '/auth/logout', four.access_token));
    await send(api.request('DELETE', '/profile', five.access_token));

    const rows = await news();
    expect(rows.length).toBeGreaterThanOrEqual(11);
    const text = JSON.stringify(rows);
    const parts = told.flatMap((each) => [each, ...each.split('.').slice(1)]);
    expect(parts.length).toBeGreaterThan(30);
    expect(parts.filter((part) => text.includes(part))).toEqual([]);
  });
});
