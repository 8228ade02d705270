import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Response } from 'supertest';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

/* What passwords must be, and how often they may be guessed, by the numbers of docs/security.md. */

describe('new passwords', () => {
  const FIRST = 'a corgi in orbit';
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ env: { PASSWORD_MIN_LENGTH: '15' } });
  });
  afterAll(() => api.close());

  const newName = () => `user-${crypto.randomUUID().slice(0, 8)}`;
  const register = (password: string, username = newName()) =>
    api.request('POST', '/auth/register').send({ username, password });
  const change = async (password: string, username = newName()) => {
    await register(FIRST, username).expect(201);
    const { body } = await api.request('POST', '/auth/login').send({ username, password: FIRST });
    return api
      .request('PUT', '/auth/password', body.access_token)
      .send({ current_password: FIRST, new_password: password });
  };
  const expectRefused = (response: Response, reason: RegExp) => {
    expectError(response, 400, 'validation_failed');
    const field = expect.stringMatching(/^(new_)?password$/);
    expect(response.body.errors).toEqual([{ field, messages: [expect.stringMatching(reason)] }]);
  };

  it.each([
    ['small letters', 'orbitalkennel'],
    ['one character', 'é'],
    ['dogs', '🐕'],
    ['spaces and digits', '1 2 3 '],
  ])('15, 64 and 256 characters are taken, 14 and 257 are not: %s', async (_, unit) => {
    const ofLength = (length: number) => [...unit.repeat(length)].slice(0, length).join('');
    for (const length of [15, 64, 256]) {
      expect((await register(ofLength(length))).status).toBe(201);
      expect((await change(ofLength(length))).status).toBe(200);
    }
    for (const [length, reason] of [
      [14, /at least 15 characters/],
      [257, /256 characters/],
    ] as const) {
      expectRefused(await register(ofLength(length)), reason);
      expectRefused(await change(ofLength(length)), reason);
    }
  });

  it('the length is counted in composed characters, at registration and at login', async () => {
    // Two code points each in NFD, as some keyboards send them: 400 and 14 in all.
    const longest = 'é'.repeat(200);
    const username = newName();
    await register(longest.normalize('NFD'), username).expect(201);
    for (const form of ['NFC', 'NFD'])
      await api
        .request('POST', '/auth/login')
        .send({ username, password: longest.normalize(form) })
        .expect(200);
    expectRefused(await register('é'.repeat(14).normalize('NFD')), /at least 15 characters/);
    expectRefused(await register('é'.repeat(257).normalize('NFD')), /256 characters/);
  });

  it('a common password, or one made from a name, is refused with the reason', async () => {
    for (const [password, reason] of [
      ['Q1w2e3r4t5y6u7i8o9p0', /common password/],
      ['freshgatefreshgate', /made of "freshgate"/],
      ['anton-anton-anton', /made of "anton"/],
    ] as const) {
      expectRefused(await register(password, 'anton'), reason);
      expectRefused(await change(password, reason.source.includes('anton') ? 'anton' : newName()), reason);
    }
  });
});

describe('proofs of a password', () => {
  it('a wrong password at a step-up counts only for its session, and one at the login never for a session', async () => {
    const api = await createTestApp({ auth: { limits: { address: '3 per 1h', device: '3 per 1h' } } });
    try {
      const [session, other] = [await api.login(), await api.login()];
      const { username, password } = session.user;
      const login = (name: string, guess: string) =>
        api.request('POST', '/auth/login').send({ username: name, password: guess });
      for (let i = 0; i < 3; i++)
        expectError(await session.tryReauthenticate(session.refresh, 'wrong'), 401, 'invalid_credentials');
      expectError(await session.tryReauthenticate(session.refresh, password), 429, 'rate_limited');
      await session.rotate();
      await login(username, password).expect(200);
      for (let i = 0; i < 3; i++)
        expectError(await login(`nobody-${i}`, 'wrong'), 401, 'invalid_credentials');
      expectError(await login(username, password), 429, 'rate_limited');
      const { status } = await other.tryReauthenticate(other.refresh, other.user.password);
      expect(status).toBe(200);
    } finally {
      await api.close();
    }
  });
});
