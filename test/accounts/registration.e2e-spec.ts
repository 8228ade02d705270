import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

const PASSWORD = 'space-corgi';
let counter = 0;
const newAddress = () => `dog-${++counter}@example.com`;

describeEachEngine('registration by e-mail address', (engine) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ engine, loginName: 'email' });
  });
  beforeEach(() => app.clock.advance('2h'));
  afterAll(() => app.close());

  const post = (path: string, body: object) => app.request('POST', path).send(body);
  const register = (email: string, password = PASSWORD) =>
    post('/auth/register', { email, password }).expect(202);
  const logIn = (username: string, password = PASSWORD) => post('/auth/login', { username, password });

  it('is confirmed by the mail, then logged in to, renamed and deleted', async () => {
    const email = newAddress();
    expect((await register(email)).body).toEqual({});
    expectError(await logIn(email), 401, 'invalid_credentials');
    const token = await app.mails.to(email).last().token;
    const { body } = await post('/auth/register/confirm', { token }).expect(201);
    expect(body).toEqual({
      id: expect.any(String),
      username: null,
      email,
      created_at: new Date(app.clock.now()).toISOString(),
    });

    const { body: pair } = await logIn(email.toUpperCase()).expect(200);
    const profile = await app.request('GET', '/profile', pair.access_token).expect(200);
    expect(profile.body).toMatchObject({ id: body.id, username: null, email, fresh: true });
    const username = `dog.${counter}`;
    const renamed = await app.request('PATCH', '/profile', pair.access_token).send({ username }).expect(200);
    expect(renamed.body).toMatchObject({ id: body.id, username, email });
    await logIn(username).expect(200);
    await logIn(email).expect(200);
    await app.request('DELETE', '/profile', pair.access_token).expect(204);
    expectError(await logIn(email), 401, 'invalid_credentials');
    await register(email);
    await post('/auth/register/confirm', { token: await app.mails.to(email).last().token }).expect(201);
  });

  it('answers the same for an address that has an account, and tells its owner', async () => {
    const email = newAddress();
    await app.user(email);
    const taken = await register(email, 'lunar-dachshund');
    const free = await register(newAddress());
    expect([taken.status, taken.body, taken.headers['content-length']]).toEqual([
      free.status,
      free.body,
      free.headers['content-length'],
    ]);
    expect(await app.mails.to(email).last().subject).toMatch(/^You already have an account/);
    await expect(app.mails.to(email).last().link).rejects.toThrow('no link');
    await logIn(email).expect(200);
    expectError(await logIn(email, 'lunar-dachshund'), 401, 'invalid_credentials');
  });

  it('makes one account of 50 parallel uses of its token', async () => {
    const email = newAddress();
    await register(email);
    const token = await app.mails.to(email).last().token;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => post('/auth/register/confirm', { token })),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    for (const each of answers.filter(({ status }) => status !== 201)) expectError(each, 400, 'link_invalid');
  });

  it('confirms the registration of the link, not the one of another person for the same address', async () => {
    const email = newAddress();
    await register(email, 'attackers-choice');
    const attackers = await app.mails.to(email).last().token;
    await register(email, 'victims-choice');
    const victims = await app.mails.to(email).last().token;
    await post('/auth/register/confirm', { token: victims }).expect(201);
    await logIn(email, 'victims-choice').expect(200);
    expectError(await logIn(email, 'attackers-choice'), 401, 'invalid_credentials');
    expectError(await post('/auth/register/confirm', { token: attackers }), 400, 'link_invalid');
  });

  it('is void after a day', async () => {
    const email = newAddress();
    await register(email);
    const token = await app.mails.to(email).last().token;
    app.clock.advance('1d');
    expectError(await post('/auth/register/confirm', { token }), 400, 'link_invalid');
  });

  it('builds its link from APP_URL, whatever host the request names', async () => {
    const email = newAddress();
    await app
      .request('POST', '/auth/register')
      .set({ Host: 'evil.example', 'X-Forwarded-Host': 'evil.example', Forwarded: 'host=evil.example' })
      .send({ email, password: PASSWORD })
      .expect(202);
    expect(await app.mails.to(email).last().link).toMatch(
      /^http:\/\/localhost:3000\/register\/confirm\?token=/,
    );
    expect(await app.mails.to(email).last().html).not.toContain('evil');
  });

  it.each(['GET', 'HEAD'])('is not confirmed by %s', async (method) => {
    const email = newAddress();
    await register(email);
    const mail = app.mails.to(email).last();
    const { pathname, search } = new URL(await mail.link);
    await app.request(method, `${pathname}${search}`);
    await app.request(method, `/auth/register/confirm${search}`);
    await post('/auth/register/confirm', { token: await mail.token }).expect(201);
  });

  it.each([
    'victim@example.com,attacker@example.net',
    'victim@example.com attacker@example.net',
    '"victim"@example.com',
    'Victim <victim@example.com>',
    'a@b@example.com',
    'vіctim@example.com',
    'cosmo',
    '',
    null,
    ['cosmo@example.com'],
    { address: 'cosmo@example.com' },
  ])('refuses the address %j', async (email) => {
    const answer = await post('/auth/register', { email, password: PASSWORD });
    expectError(answer, 400, 'validation_failed');
    expect(answer.body.errors).toMatchObject([{ field: 'email' }]);
  });

  it.each(['', 'x', 'a.b.c', 'e30.e30.e30', '\0', '💥.💥'])('refuses the token %j', async (token) => {
    expect((await post('/auth/register/confirm', { token })).status).toBe(400);
  });

  it('refuses an address of 300 characters and a token of 3000', async () => {
    const email = `${'a'.repeat(290)}@b.example`;
    expectError(await post('/auth/register', { email, password: PASSWORD }), 400, 'validation_failed');
    const token = 'x'.repeat(3000);
    expectError(await post('/auth/register/confirm', { token }), 400, 'validation_failed');
  });

  it('is limited to three mails an hour for an address', async () => {
    const email = newAddress();
    for (let i = 0; i < 5; i++) await register(email);
    expect(await app.mails.to(email).all()).toHaveLength(3);
  });
});

describeEachEngine('registration by username with an address', (engine) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ engine });
  });
  afterAll(() => app.close());

  const post = (path: string, body: object, token?: string) => app.request('POST', path, token).send(body);
  const register = async (username: string, email: string) =>
    post('/auth/register', { username, email, password: PASSWORD }).expect(201);
  const logIn = (username: string) => post('/auth/login', { username, password: PASSWORD });

  it('makes the account at once, and the address counts from its proof', async () => {
    const email = newAddress();
    const { body } = await register('cosmo', email);
    expect(body).toEqual({ id: expect.any(String), username: 'cosmo', created_at: expect.any(String) });
    expectError(await logIn(email), 401, 'invalid_credentials');
    const { body: pair } = await logIn('cosmo').expect(200);
    const token = await app.mails.to(email).last().token;
    await post('/auth/email/verify', { token }, pair.access_token).expect(204);
    await logIn(email).expect(200);
    await logIn('cosmo').expect(200);
    // example:begin
    const laika = await app.as('laika').fresh();
    const { body: transfer } = await laika.post('/transfers').send({ to: email, amount: 5 }).expect(201);
    expect(transfer.counterparty).toBe('cosmo');
    // example:end
  });

  it('takes an account without an address, and refuses a wrong one', async () => {
    await post('/auth/register', { username: 'belka', password: PASSWORD }).expect(201);
    const wrong = await post('/auth/register', {
      username: 'strelka',
      email: 'a,b@c.de',
      password: PASSWORD,
    });
    expectError(wrong, 400, 'validation_failed');
    expectError(await logIn('strelka'), 401, 'invalid_credentials');
  });

  it('does not let an attacker get an address proved by its owner: the token needs the session of that account', async () => {
    const email = newAddress();
    await register('attacker', email);
    const token = await app.mails.to(email).last().token;
    const victim = await app.as('victim').fresh();
    expectError(await victim.post('/auth/email/verify').send({ token }), 400, 'link_invalid');
    expectError(await post('/auth/email/verify', { token }), 401, 'token_missing');
    expectError(await logIn(email), 401, 'invalid_credentials');
    // The owner registers and proves it, although the attacker asked first.
    const owner = await app.as('owner').fresh();
    await owner.put('/auth/email').send({ email }).expect(202);
    await owner
      .post('/auth/email/verify')
      .send({ token: await app.mails.to(email).last().token })
      .expect(204);
    const { body: theirs } = await logIn('attacker').expect(200);
    expectError(await post('/auth/email/verify', { token }, theirs.access_token), 409, 'email_taken');
  });
});
