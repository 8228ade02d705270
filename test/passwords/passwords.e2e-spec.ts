import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Response } from 'supertest';
import { AccountAdmin } from '../../src/auth/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { describeEachEngine } from '../support/engines.js';

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

const NEW = 'lunar-dachshund';
let counter = 0;

describeEachEngine('a forgotten password', (engine) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ engine });
  });
  beforeEach(() => app.clock.advance('2h'));
  afterAll(() => app.close());

  const post = (path: string, body: object) => app.request('POST', path).send(body);
  const user = async () => {
    const email = `dog-${++counter}@example.com`;
    return { email, user: await app.user(undefined, { email }) };
  };
  const forgot = async (username: string) => post('/auth/password/forgot', { username }).expect(202);
  const reset = (token: string, password = NEW) =>
    post('/auth/password/reset', { token, new_password: password });

  it('is reset by the mail: every session ends, no token is given, and the old password is refused', async () => {
    const { user: dog, email } = await user();
    const agent = await app.as(dog).fresh();
    await forgot(dog.username);
    const answer = await reset(await app.mails.to(email).last().token).expect(204);
    expect(answer.text).toBe('');
    expect(answer.headers['set-cookie']).toBeUndefined();
    expectError(await agent.get('/profile'), 401, 'token_revoked');
    expectError(
      await post('/auth/login', { username: dog.username, password: dog.password }),
      401,
      'invalid_credentials',
    );
    await post('/auth/login', { username: email, password: NEW }).expect(200);
    expect(await app.mails.to(email).last().subject).toMatch(/^Password reset/);
  });

  it('is asked for by username or proved address, with one answer for every name', async () => {
    const { user: dog, email } = await user();
    const { user: disabled, email: theirs } = await user();
    await app.get(AccountAdmin).disable(disabled.username);
    const without = await app.user();
    const names = [dog.username, email, email.toUpperCase(), disabled.username, theirs, without.username];
    const answers = [];
    for (const name of [...names, 'nobody', 'nobody@example.com', 'a@b@c', 'x'.repeat(256)])
      answers.push(await forgot(name));
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`))).toEqual(new Set(['202 ']));
    expect(await app.mails.to(email).all()).toHaveLength(3);
    expect(await app.mails.to(theirs).all()).toEqual([]);
  });

  it('is not reset by a pending address: it was not proved', async () => {
    const email = `dog-${++counter}@example.com`;
    const agent = await app.as(await app.user()).fresh();
    await agent.put('/auth/email').send({ email }).expect(202);
    await forgot(email);
    await forgot(agent.user.username);
    expect(await app.mails.to(email).all()).toHaveLength(1);
  });

  it('is reset by one of 50 parallel uses of the token, and by one of two tokens', async () => {
    const { user: dog, email } = await user();
    await forgot(dog.username);
    const first = await app.mails.to(email).last().token;
    await forgot(dog.username);
    const second = await app.mails.to(email).last().token;
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => reset(i % 2 ? first : second, `lunar-dachshund-${i}`)),
    );
    const done = answers.filter(({ status }) => status === 204);
    expect(done).toHaveLength(1);
    for (const each of answers.filter(({ status }) => status !== 204 && status !== 503))
      expectError(each, 400, 'link_invalid');
    const winner = answers.findIndex(({ status }) => status === 204);
    await post('/auth/login', { username: email, password: `lunar-dachshund-${winner}` }).expect(200);
  });

  it('is reset by a token that was followed by a login, and by the first of two', async () => {
    const { user: dog, email } = await user();
    await forgot(dog.username);
    const token = await app.mails.to(email).last().token;
    await dog.login();
    await forgot(dog.username);
    await reset(token).expect(204);
  });

  it('is not reset after the password, the address or the state of the account has changed, nor after an hour', async () => {
    const ends: ((dog: Awaited<ReturnType<typeof user>>) => Promise<unknown>)[] = [
      async ({ user: dog }) => {
        const agent = await app.as(dog).fresh();
        const change = { current_password: dog.password, new_password: NEW };
        await agent.put('/auth/password').send(change).expect(200);
      },
      async ({ user: dog }) => {
        const agent = await app.as(dog).fresh();
        const email = `dog-${++counter}@example.com`;
        await agent.put('/auth/email').send({ email }).expect(202);
        const token = await app.mails.to(email).last().token;
        await agent.post('/auth/email/verify').send({ token }).expect(204);
      },
      async ({ user: dog }) => app.get(AccountAdmin).disable(dog.username),
      async ({ user: dog }) => {
        const agent = await app.as(dog).fresh();
        await agent.delete('/profile').expect(204);
      },
      async () => app.clock.advance('1h'),
    ];
    for (const end of ends) {
      const dog = await user();
      await forgot(dog.email);
      const token = await app.mails.to(dog.email).last().token;
      await end(dog);
      expectError(await reset(token), 400, 'link_invalid');
    }
  });

  it('is not reset by a token for another purpose, nor does its token serve another one', async () => {
    const { user: dog, email } = await user();
    const agent = await app.as(dog).fresh();
    const other = `dog-${++counter}@example.com`;
    await agent.put('/auth/email').send({ email: other }).expect(202);
    const verify = await app.mails.to(other).last().token;
    await forgot(email);
    const token = await app.mails.to(email).last().token;
    expectError(await reset(verify), 400, 'link_invalid');
    expectError(await agent.post('/auth/email/verify').send({ token }), 400, 'link_invalid');
    expectError(await post('/auth/email/undo', { token }), 400, 'link_invalid');
    for (const stolen of [agent.token, `${token}x`, token.slice(1), token.replace('.', '..')])
      expectError(await reset(stolen), 400, 'link_invalid');
    await reset(token).expect(204);
  });

  it('keeps the second factor: the login asks for it', async () => {
    const { user: dog, email } = await user();
    await app.as(dog).with.otp().fresh();
    await forgot(email);
    await reset(await app.mails.to(email).last().token).expect(204);
    const answer = await post('/auth/login', { username: email, password: NEW });
    expectError(answer, 401, 'second_factor_required');
  });

  it('keeps its token when the new password is refused', async () => {
    const { email } = await user();
    await forgot(email);
    const token = await app.mails.to(email).last().token;
    expectError(await reset(token, 'password'), 400, 'validation_failed');
    expectError(await reset(token, 'x'), 400, 'validation_failed');
    await reset(token).expect(204);
  });

  it('is not reset by GET or HEAD on the link or the routes', async () => {
    const { email } = await user();
    await forgot(email);
    const mail = app.mails.to(email).last();
    const { pathname, search } = new URL(await mail.link);
    expect(pathname).toBe('/password/reset');
    for (const method of ['GET', 'HEAD']) {
      await app.request(method, `${pathname}${search}`);
      expect((await app.request(method, `/auth/password/reset${search}`)).status).toBe(404);
    }
    await reset(await mail.token).expect(204);
  });

  it('leads to APP_URL, whatever host the request names', async () => {
    const { email } = await user();
    await app
      .request('POST', '/auth/password/forgot')
      .set({ Host: 'evil.example', 'X-Forwarded-Host': 'evil.example' })
      .send({ username: email })
      .expect(202);
    expect(await app.mails.to(email).last().link).toMatch(/^http:\/\/localhost:3000\//);
  });

  it.each([{}, { username: '' }, { username: null }, { username: ['a'] }, { username: 'x'.repeat(257) }])(
    'answers 400 to a body without a name',
    async (body) => {
      expectError(await post('/auth/password/forgot', body), 400, 'validation_failed');
    },
  );
});

describeEachEngine('many requests for a reset', (engine) => {
  it('are limited by the address that they come from', async () => {
    const app = await createTestApp({ engine, auth: { limits: { register: '20 per 1h' } } });
    try {
      const ask = (username: string) => app.request('POST', '/auth/password/forgot').send({ username });
      for (let i = 0; i < 20; i++) await ask(`name-${i}`).expect(202);
      expectError(await ask('another'), 429, 'rate_limited');
    } finally {
      await app.close();
    }
  });
});
