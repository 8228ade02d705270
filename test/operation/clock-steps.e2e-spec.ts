import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { SessionPurge } from '../../src/sessions/session-purge.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

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

  it('#10 back by an hour: tokens of before live to the time that they name, and are not fresh', async () => {
    api.clock.advance(-HOUR);
    await profile(login.access).expect(200);
    // The proof of the password lies in the future, and proves nothing.
    expectError(await api.request('DELETE', '/profile', login.access), 401, 'fresh_token_required');
    await login.rotate();
    await profile(login.access).expect(200);
    await login.reauthenticate();
    await api.request('DELETE', '/profile', login.access).expect(204);
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
      await api.get(SessionPurge).run();
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

function decodedGeneration(token: string): number {
  return (decode(token) as { gen: number }).gen;
}
