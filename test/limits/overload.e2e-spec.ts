import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { AccountAdmin, UserStore } from '../../src/auth/index.js';
import { HashingQueue } from '../../src/auth/internals.js';
import { createTestApp, type TestApp, type TestUser } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { fill } from '../support/full-queue.js';

describe('while no more passwords can wait to be hashed', () => {
  let api: TestApp;
  let user: TestUser;
  let release: () => Promise<void> = async () => {};
  beforeAll(async () => {
    api = await createTestApp({ auth: { limits: { accountAndAddress: '2 per 15m', register: '4 per 1h' } } });
    user = await api.user();
  });
  afterEach(async () => {
    await release();
    jest.restoreAllMocks();
  });
  afterAll(() => api.close());
  const overload = () => {
    release = fill(api.get(HashingQueue));
  };
  const login = (username: string, password: string) =>
    api.request('POST', '/auth/login').send({ username, password });

  it('refuses every login at once in the same way, without looking up the user', async () => {
    const disabled = await api.user();
    await api.get(AccountAdmin).disable(disabled.username);
    const lookUp = jest.spyOn(api.get(UserStore), 'findByUsername');
    overload();
    const answers = [
      await login(user.username, user.password),
      await login(user.username, 'wrong-corgi'),
      await login(disabled.username, disabled.password),
      await login('nobody', 'wrong-corgi'),
    ];
    for (const answer of answers) {
      expectError(answer, 503, 'overloaded');
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
    }
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(lookUp).not.toHaveBeenCalled();
  });

  it('does not count a login that was refused for lack of capacity', async () => {
    overload();
    for (let i = 0; i < 4; i++) expectError(await login(user.username, 'wrong-corgi'), 503, 'overloaded');
    const register = () =>
      api.request('POST', '/auth/register').send({ username: 'tries', password: 'corgi-space' });
    for (let i = 0; i < 4; i++) expectError(await register(), 503, 'overloaded');
    await release();
    await login(user.username, user.password).expect(200);
    await register().expect(201);
  });

  it('requests without a password go on, and the reuse of a refresh token is detected', async () => {
    const session = await user.login();
    const old = session.refresh;
    overload();
    await api.request('GET', '/profile', session.access).expect(200);
    await session.rotate('key-of-16-letters');
    const reauthenticate = (token: string) => session.tryReauthenticate(token, user.password);
    for (let i = 0; i < 4; i++) expectError(await reauthenticate(session.refresh), 503, 'overloaded');
    expectError(await reauthenticate(old), 401, 'refresh_token_reused');
  });
});
