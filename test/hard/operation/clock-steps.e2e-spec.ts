import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { Database, Purger } from '../../../src/database/index.js';
import { createTestApp, type TestApp, type TestLogin } from '../../support/create-test-app.js';
import { describeEachEngine } from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { forge } from '../../support/token-kinds.js';
import { OnceController } from '../../support/once.controller.js';

const MINUTE = 60_000;
const HOUR = 3_600_000;

/** The documents say what becomes of tokens: docs/operation.md, "The clock". */
describe('a clock that is set', () => {
  let api: TestApp;
  let login: TestLogin;
  beforeEach(async () => {
    api = await createTestApp();
    login = await api.login();
  });
  afterEach(() => api.close());

  const profile = (token: string) => api.request('GET', '/profile', token);

  it('forward by an hour: access tokens end, sessions do not, and a refresh is no reuse', async () => {
    api.clock.advance(HOUR);
    expectError(await profile(login.access), 401, 'token_expired');
    await login.rotate();
    await profile(login.access).expect(200);
    expectError(await api.request('DELETE', '/profile', login.access), 401, 'fresh_token_required');
  });

  it('back by an hour: tokens of before live to the time that they name, and are not fresh', async () => {
    api.clock.advance(-HOUR);
    await profile(login.access).expect(200);
    // The proof of the password lies in the future, and proves nothing.
    expectError(await api.request('DELETE', '/profile', login.access), 401, 'fresh_token_required');
    await login.rotate();
    await profile(login.access).expect(200);
    await login.reauthenticate();
    await api.request('DELETE', '/profile', login.access).expect(204);
  });

  it('a token is refused before its "nbf", and accepted from then on', async () => {
    const token = forge(api, login.access, { nbf: api.clock.now() / 1000 + 61 });
    expectError(await profile(token), 401, 'token_invalid');
    api.clock.advance('61s');
    await profile(token).expect(200);
  });

  it('forward and back: what was issued ahead ends at the time that it names, not later', async () => {
    api.clock.advance(HOUR);
    await login.rotate();
    const ahead = login.access;
    api.clock.advance(-HOUR);
    await login.rotate();
    api.clock.advance('74m');
    await profile(ahead).expect(200);
    api.clock.advance('1m');
    expectError(await profile(ahead), 401, 'token_expired');
  });

  it('back: a logout holds, for tokens that were issued ahead as well', async () => {
    api.clock.advance(HOUR);
    await login.rotate();
    api.clock.advance(-HOUR);
    await api.request('POST', '/auth/logout', login.refresh).expect(204);
    for (const wait of [0, '30m', '44m'] as const) {
      api.clock.advance(wait);
      await api.get(Purger).run();
      expectError(await profile(login.access), 401, 'token_revoked');
    }
    api.clock.advance('2m');
    expectError(await profile(login.access), 401, 'token_expired');
  });

  it.each([HOUR, -HOUR])(
    'by %d: the answer that was lost is given again to who sends its key',
    async (step) => {
      const first = login.refresh;
      const { refresh_token: lost } = await login.rotate('a-key-of-some-length');
      api.clock.advance(step);
      const { body } = await login.tryRefresh(first, 'a-key-of-some-length').expect(200);
      expect(decode(body.refresh_token)).toMatchObject({ gen: decodedGeneration(lost) });
    },
  );

  it.each([HOUR, -HOUR])('by %d: without a key the grace is over, as after any hour', async (step) => {
    const first = login.refresh;
    await login.rotate();
    api.clock.advance(step);
    expectError(await login.tryRefresh(first), 401, 'refresh_token_reused');
  });

  it.each([HOUR, -HOUR])('by %d: the live refresh token is no reuse, again and again', async (step) => {
    for (let i = 0; i < 3; i++) {
      api.clock.advance(step);
      await login.rotate();
      await profile(login.access).expect(200);
    }
  });
});

describeEachEngine('a clock that is set forward and back again', (engine) => {
  let api: TestApp;
  beforeEach(async () => {
    api = await createTestApp({ engine, controllers: [OnceController] });
  });
  afterEach(() => api.close());

  /** What the minute's purge does while the clock is ahead; the database's clock may go along (one machine), or not. */
  const purgeAhead = async (by: number, databaseGoesAlong: boolean) => {
    const skew = jest.spyOn(api.get(Database), 'clockSkew');
    if (databaseGoesAlong) skew.mockResolvedValue(0);
    api.clock.advance(by);
    const removed = await api.get(Purger).run();
    api.clock.advance(MINUTE - by);
    skew.mockRestore();
    return removed;
  };
  const spend = async ({ access }: TestLogin) => api.request('POST', '/once', access);

  it.each([20 * MINUTE, HOUR, 23 * HOUR])(
    'by %d ms does not bring back a session that was logged out',
    async (by) => {
      const login = await api.login();
      await api.request('POST', '/auth/logout', login.refresh).expect(204);
      await purgeAhead(by, true);
      expectError(await api.request('GET', '/profile', login.access), 401, 'token_revoked');
      expectError(await login.tryRefresh(login.refresh), 401, 'token_revoked');
    },
  );

  it('does not bring back a token that was used once', async () => {
    const login = await api.login();
    expect((await spend(login)).status).toBe(201);
    await purgeAhead(20 * MINUTE, true);
    expectError(await spend(login), 401, 'fresh_token_required');
  });

  if (engine !== 'postgres') return;

  it.each([3_000, HOUR, 15 * 24 * HOUR])(
    'by %d ms removes nothing while the database says another time',
    async (by) => {
      const login = await api.login();
      const gone = await api.login();
      await api.request('POST', '/auth/logout', gone.refresh).expect(204);
      await api.get(Database).updateTable('sessions').set({ access_until: 1 }).execute();
      expect(await purgeAhead(by, false)).toBe(0);
      await login.rotate();
      expect(await api.get(Database).selectFrom('sessions').select('id').execute()).toHaveLength(2);
    },
  );
});

function decodedGeneration(token: string): number {
  return (decode(token) as { gen: number }).gen;
}
