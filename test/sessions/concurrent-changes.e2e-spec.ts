import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type pg from 'pg';
import { type Response } from 'supertest';
import { sql } from 'kysely';
import { Database } from '../../src/database/index.js';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { AccountAdmin } from '../../src/auth/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp, type TestLogin, type TestUser } from '../support/create-test-app.js';
import {
  createTestDatabase,
  describePostgres,
  type TestDatabase,
  describeEachEngine,
} from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { beginElsewhere, onceItWaits } from '../support/other-transaction.js';

/** Declares the hooks of tests in which another transaction holds locks: an application, and that transaction for each test. */
function besideAnotherTransaction(): { api: TestApp; other: pg.Client } {
  const beside = {} as { api: TestApp; other: pg.Client };
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    beside.api = await createTestApp({ database });
  });
  afterAll(async () => {
    await beside.api.close();
    await database.drop();
  });
  beforeEach(async () => {
    beside.other = await beginElsewhere(database.url);
  });
  afterEach(() => beside.other.end());
  return beside;
}

describePostgres('a login while another transaction has locked its user', () => {
  const beside = besideAnotherTransaction();
  let user: TestUser;
  beforeEach(async () => {
    user = await beside.api.user();
  });

  const loginThatWaits = () => {
    const { username, password } = user;
    return onceItWaits(beside.api, beside.api.request('POST', '/auth/login').send({ username, password }));
  };
  /** The number of sessions, and of recorded logins. */
  const left = async () => {
    const db = beside.api.get(Database);
    const sessions = await db.selectFrom('sessions').select('id').where('user_id', '=', user.id).execute();
    const logins = await db
      .selectFrom('audit_events')
      .select('id')
      .where('subject_id', '=', user.id)
      .where('event', '=', 'authn_login_success')
      .execute();
    return [sessions.length, logins.length];
  };

  const rowOf = async ({ refresh }: TestLogin) =>
    beside.api
      .get(Database)
      .selectFrom('sessions')
      .select(['generation', 'auth_time'])
      .where('id', '=', claimsOf(refresh).sid)
      .executeTakeFirst();

  it.each([
    ['changes the password', 'update users set credential_version = credential_version + 1 where id = $1'],
    ['removes them', 'delete from users where id = $1'],
  ])('opens nothing when that %s', async (_, statement) => {
    await beside.other.query(statement, [user.id]);
    const waiting = await loginThatWaits();
    await beside.other.query('commit');
    expectError(await waiting.answer, 401, 'invalid_credentials');
    expect(await left()).toEqual([0, 0]);
  });

  it.each([
    ['changes something else', 'update users set roles = roles where id = $1', 'commit'],
    [
      'takes its change back',
      'update users set credential_version = credential_version + 1 where id = $1',
      'rollback',
    ],
    ['only locks them', 'select from users where id = $1 for update', 'commit'],
  ])('opens one session when that %s', async (_, statement, end) => {
    await beside.other.query(statement, [user.id]);
    const waiting = await loginThatWaits();
    await beside.other.query(end);
    expect((await waiting.answer).status).toBe(200);
    expect(await left()).toEqual([1, 1]);
  });

  it.each([
    ['changes the password', 'update users set credential_version = credential_version + 1 where id = $1'],
    ['removes them', 'delete from users where id = $1'],
  ])(
    'does not renew the proof of a session when that %s: its refresh token is still the live one',
    async (_, statement) => {
      const session = await user.login();
      const before = await rowOf(session);
      await beside.other.query(statement, [user.id]);
      const waiting = await onceItWaits(
        beside.api,
        session.tryReauthenticate(session.refresh, user.password),
      );
      await beside.other.query('commit');
      expectError(await waiting.answer, 401, 'invalid_credentials');
      expect(await rowOf(session)).toEqual(before);
    },
  );
});

const accessOf = (response: Response) => (response.body as TokenPairDto).access_token;

async function login(api: TestApp, role?: string): Promise<TestLogin> {
  const first = await api.login();
  if (role === undefined) return first;
  await api.get(AccountAdmin).grant(first.user.username, role);
  return first.user.login();
}

async function stateOf(api: TestApp, token: string) {
  const [db, { sid }] = [api.get(Database), claimsOf(token)];
  const { generation } = await db
    .selectFrom('sessions')
    .select('generation')
    .where('id', '=', sid)
    .executeTakeFirstOrThrow();
  const renewals = await db
    .selectFrom('audit_events')
    .select(['cause', 'subject_id'])
    .where('session_id', '=', sid)
    .where('event', '=', 'session_renewed')
    .execute();
  return { generation, renewals };
}

describeEachEngine('a refresh', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  it('leaves no record: the row says when and from where', async () => {
    const mine = await login(api);
    api.clock.advance('1m');
    await mine.tryRefresh(mine.refresh).set('User-Agent', 'another').expect(200);
    expect(await stateOf(api, mine.refresh)).toEqual({ generation: 1, renewals: [] });
    const { body } = await api.request('GET', '/auth/sessions', mine.access).expect(200);
    const last_used_at = new Date(api.clock.now()).toISOString();
    expect(body).toMatchObject([{ last_used_at, user_agent: 'another', ip: '127.0.0.1' }]);
  });

  it.each(['disabled', 'removed'])(
    'is refused if another program has %s the user but left the session',
    async (how) => {
      const mine = await login(api);
      const db = api.get(Database);
      if (how === 'disabled')
        await db.updateTable('users').set({ disabled_at: 1 }).where('id', '=', mine.user.id).execute();
      else await db.deleteFrom('users').where('id', '=', mine.user.id).execute();
      expectError(await mine.tryRefresh(mine.refresh), 401, 'token_revoked');
    },
  );
});

describePostgres('a refresh while another transaction has locked its session', () => {
  const beside = besideAnotherTransaction();

  const refreshThatWaits = (mine: TestLogin) => onceItWaits(beside.api, mine.tryRefresh(mine.refresh));
  const endSession = (mine: TestLogin) =>
    beside.other.query(`update sessions set revoked_at = 1, revoke_cause = 'role_revoked' where id = $1`, [
      claimsOf(mine.refresh).sid,
    ]);
  const takeRole = (mine: TestLogin) =>
    beside.other.query(
      `update users set roles = '', credential_version = credential_version + 1 where id = $1`,
      [mine.user.id],
    );

  it('issues no tokens if that transaction revokes the session and takes a role, which the statement still saw', async () => {
    const mine = await login(beside.api, 'admin');
    await endSession(mine);
    const waiting = await refreshThatWaits(mine);
    await takeRole(mine);
    await beside.other.query('commit');
    expectError(await waiting.answer, 401, 'token_revoked');
    expect(await stateOf(beside.api, mine.refresh)).toEqual({ generation: 0, renewals: [] });
  });

  it('issues tokens with the role if it comes first, and the session is revoked with them', async () => {
    const mine = await login(beside.api, 'admin');
    await takeRole(mine);
    const answer = await mine.tryRefresh(mine.refresh).expect(200);
    expect(claimsOf(accessOf(answer)).roles).toEqual(['admin']);
    await endSession(mine);
    await beside.other.query('commit');
    expectError(await mine.tryRefresh((answer.body as TokenPairDto).refresh_token), 401, 'token_revoked');
  });

  /** What the limit of the session has counted. */
  const counted = async (mine: TestLogin) => {
    const { sid } = claimsOf(mine.refresh);
    const row = await beside.api
      .get(Database)
      .selectFrom('sessions')
      .select('refresh_count')
      .where('id', '=', sid)
      .executeTakeFirstOrThrow();
    return row.refresh_count;
  };

  it.each([
    ['changes something else', `update sessions set user_agent = 'other' where id = $1`, 'commit'],
    ['takes its end back', `update sessions set revoked_at = 1 where id = $1`, 'rollback'],
    ['only locks it', `select from sessions where id = $1 for update`, 'commit'],
  ])('goes on, once, when that %s', async (_, statement, end) => {
    const mine = await login(beside.api, 'admin');
    await beside.other.query(statement, [claimsOf(mine.refresh).sid]);
    const waiting = await refreshThatWaits(mine);
    await beside.other.query(end);
    const answer = await waiting.answer;
    expect(answer.status).toBe(200);
    expect(claimsOf(accessOf(answer)).roles).toEqual(['admin']);
    expect(await stateOf(beside.api, mine.refresh)).toMatchObject({
      generation: 1,
      renewals: [],
    });
    expect(await counted(mine)).toBe(1);
  });

  it('is concurrent if that transaction is another refresh', async () => {
    const mine = await login(beside.api);
    await beside.other.query(`update sessions set generation = 1, rotated_at = $2 where id = $1`, [
      claimsOf(mine.refresh).sid,
      beside.api.clock.now(),
    ]);
    const waiting = await refreshThatWaits(mine);
    await beside.other.query('commit');
    expect((await waiting.answer).status).toBe(200);
    expect(await stateOf(beside.api, mine.refresh)).toMatchObject({
      generation: 1,
      renewals: [{ cause: 'concurrent' }],
    });
    expect(await counted(mine)).toBe(1);
  });
});

/*
 * A rotation that finds its row changed looks again. A row that is never as it was read would keep it looking for ever,
 * in one turn of the event loop: no other request would be answered.
 */
it('a rotation looks a second time at most, whatever the database does', async () => {
  const api = await createTestApp();
  try {
    const mine = await api.login();
    const first = mine.refresh;
    await mine.rotate();
    const db = api.get(Database);
    // Updates of sessions do nothing, the first 1,000 times: a test that fails must not hang.
    await sql`create table looks (n integer not null)`.execute(db);
    await sql`insert into looks values (0)`.execute(db);
    await sql`create trigger ignored before update on sessions when (select n from looks) < 1000
      begin update looks set n = n + 1; select raise(ignore); end`.execute(db);
    expectError(await mine.tryRefresh(first), 500, 'internal_error');
    const { rows } = await sql<{ n: number }>`select n from looks`.execute(db);
    expect(rows[0]?.n).toBeLessThanOrEqual(2);
  } finally {
    await api.close();
  }
});
