import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import type pg from 'pg';
import { Database } from '../../src/database/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp, type TestLogin, type TestUser } from '../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { beginElsewhere, onceItWaits } from '../support/other-transaction.js';

describePostgres('a login while another transaction has locked its user', () => {
  let database: TestDatabase;
  let api: TestApp;
  let other: pg.Client;
  let user: TestUser;
  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    api = await createTestApp({ database });
  });
  afterAll(async () => {
    await api.close();
    await database.drop();
  });
  beforeEach(async () => {
    user = await api.user();
    other = await beginElsewhere(database.url);
  });
  afterEach(() => other.end());

  const loginThatWaits = () => {
    const { username, password } = user;
    return onceItWaits(api, api.request('POST', '/auth/login').send({ username, password }));
  };
  /** The number of sessions, and of recorded logins. */
  const left = async () => {
    const db = api.get(Database);
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
    api
      .get(Database)
      .selectFrom('sessions')
      .select(['generation', 'auth_time'])
      .where('id', '=', claimsOf(refresh).sid)
      .executeTakeFirst();

  it.each([
    ['changes the password', 'update users set credential_version = credential_version + 1 where id = $1'],
    ['removes them', 'delete from users where id = $1'],
  ])('opens nothing when that %s', async (_, statement) => {
    await other.query(statement, [user.id]);
    const waiting = await loginThatWaits();
    await other.query('commit');
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
    await other.query(statement, [user.id]);
    const waiting = await loginThatWaits();
    await other.query(end);
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
      await other.query(statement, [user.id]);
      const waiting = await onceItWaits(api, session.tryReauthenticate(session.refresh, user.password));
      await other.query('commit');
      expectError(await waiting.answer, 401, 'invalid_credentials');
      expect(await rowOf(session)).toEqual(before);
    },
  );
});
