import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { AuditLog, Clock } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { TEST_CALLER } from '../../src/testing/token-agents.js';
import { createTestApp, type TestApp, type TestUser } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

let counter = 0;
const newAddress = () => `dog-${++counter}@example.com`;

describeEachEngine('the address of an account', (engine) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ engine });
  });
  beforeEach(() => app.clock.advance('2h'));
  afterAll(() => app.close());

  const post = (path: string, body: object) => app.request('POST', path).send(body);
  const logIn = (username: string, { password }: TestUser) => post('/auth/login', { username, password });
  const fresh = async (email?: string) => {
    const user = await app.user(undefined, email === undefined ? {} : { email });
    return app.as(user).fresh();
  };
  type Agent = Awaited<ReturnType<typeof fresh>>;
  const ask = async (agent: Agent, email: string) => {
    await agent.put('/auth/email').send({ email }).expect(202);
    return app.mails.to(email).last();
  };
  const move = async (agent: Agent, email: string) => {
    const token = await (await ask(agent, email)).token;
    await agent.post('/auth/email/verify').send({ token }).expect(204);
  };

  it('changes with its proof: the old one counts until then', async () => {
    const [before, after] = [newAddress(), newAddress()];
    const agent = await fresh(before);
    const mail = await ask(agent, after);
    await logIn(before, agent.user).expect(200);
    expectError(await logIn(after, agent.user), 401, 'invalid_credentials');
    await agent
      .post('/auth/email/verify')
      .send({ token: await mail.token })
      .expect(204);
    await logIn(after, agent.user).expect(200);
    expectError(await logIn(before, agent.user), 401, 'invalid_credentials');
    expect((await agent.get('/profile').expect(200)).body.email).toBe(after);
    expect(await app.mails.to(before).last().subject).toMatch(/^E-mail address changed/);
  });

  it('is proved by the code of the mail, in any case and spelling, for one hour', async () => {
    const email = newAddress();
    const agent = await fresh();
    const code = await (await ask(agent, email)).code;
    expect(code).toMatch(/^[0-9A-Z]{4}-[0-9A-Z]{4}$/);
    const other = await fresh();
    await ask(other, newAddress());
    expectError(await other.post('/auth/email/verify').send({ code }), 400, 'link_invalid');
    expectError(await agent.post('/auth/email/verify').send({ code: '0000-0000' }), 400, 'link_invalid');
    const typed = code.toLowerCase().replace('-', ' ');
    await agent.post('/auth/email/verify').send({ code: typed }).expect(204);
    expectError(await agent.post('/auth/email/verify').send({ code }), 400, 'link_invalid');
    app.clock.advance('3h');
    const again = await fresh();
    const late = await (await ask(again, newAddress())).code;
    app.clock.advance('2h');
    const agentLater = await app.as(again.user).fresh();
    expectError(await agentLater.post('/auth/email/verify').send({ code: late }), 400, 'link_invalid');
  });

  it('has ten guesses of the code an hour, whatever is asked for in between', async () => {
    const agent = await fresh();
    for (let i = 0; i < 10; i++) {
      if (i % 5 === 0) await ask(agent, newAddress());
      expectError(await agent.post('/auth/email/verify').send({ code: 'AAAA-AAAA' }), 400, 'link_invalid');
    }
    expectError(await agent.post('/auth/email/verify').send({ code: 'AAAA-AAAA' }), 429, 'rate_limited');
  });

  it.each([{}, { token: 'x', code: null }, { token: null }, { code: '' }, { token: 'x', extra: 1 }])(
    'refuses the proof %j',
    async (body) => {
      const agent = await fresh();
      expect((await agent.post('/auth/email/verify').send(body)).status).toBe(400);
    },
  );

  it('is proved once by 50 parallel uses of a token', async () => {
    const agent = await fresh();
    const token = await (await ask(agent, newAddress())).token;
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => agent.post('/auth/email/verify').send({ token })),
    );
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
  });

  it('goes to one of two users who prove it at once', async () => {
    const email = newAddress();
    const agents = [await fresh(), await fresh()];
    const tokens: string[] = [];
    for (const agent of agents) tokens.push(await (await ask(agent, email)).token);
    const answers = await Promise.all(
      agents.map((agent, i) => agent.post('/auth/email/verify').send({ token: tokens[i] })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([204, 409]);
    expectError(answers.find(({ status }) => status === 409) ?? answers[0]!, 409, 'email_taken');
  });

  it('of another account gets the same answer, and its owner gets a mail', async () => {
    const email = newAddress();
    await fresh(email);
    const agent = await fresh();
    await ask(agent, email);
    expect(await app.mails.to(email).last().subject).toMatch(/^You already have an account/);
  });

  it('is not proved by the token of an earlier request, nor after a change of the password', async () => {
    const agent = await fresh();
    const [first, second] = [newAddress(), newAddress()];
    const token = await (await ask(agent, first)).token;
    const newer = await (await ask(agent, second)).token;
    expectError(await agent.post('/auth/email/verify').send({ token }), 400, 'link_invalid');
    const change = { current_password: agent.user.password, new_password: 'lunar-dachshund' };
    await agent.put('/auth/password').send(change).expect(200);
    const again = await app.as(agent.user).fresh();
    expectError(await again.post('/auth/email/verify').send({ token: newer }), 400, 'link_invalid');
  });

  it('needs a fresh token to change', async () => {
    const stale = await app.as('stale').stale();
    expectError(await stale.put('/auth/email').send({ email: newAddress() }), 401, 'fresh_token_required');
  });

  it('is given back by the notice to the old one, once, and every session is revoked', async () => {
    const [before, after] = [newAddress(), newAddress()];
    const agent = await fresh(before);
    await move(agent, after);
    const notice = app.mails.to(before).last();
    const token = await notice.token;
    const { pathname, search } = new URL(await notice.link);
    for (const method of ['GET', 'HEAD']) {
      await app.request(method, `${pathname}${search}`);
      await app.request(method, `/auth/email/undo${search}`);
    }
    await agent.get('/profile').expect(200);
    const answers = await Promise.all(Array.from({ length: 50 }, () => post('/auth/email/undo', { token })));
    expect(answers.filter(({ status }) => status === 204)).toHaveLength(1);
    expectError(await agent.get('/profile'), 401, 'token_revoked');
    await logIn(before, agent.user).expect(200);
    expectError(await logIn(after, agent.user), 401, 'invalid_credentials');
  });

  it('is given back although a thief has changed it twice and reset the password', async () => {
    const [owner, first, second] = [newAddress(), newAddress(), newAddress()];
    const thief = await fresh(owner);
    await move(thief, first);
    const token = await app.mails.to(owner).last().token;
    app.clock.advance('1m');
    await move(thief, second);
    const thiefsUndo = await app.mails.to(first).last().token;
    await post('/auth/password/forgot', { username: second }).expect(202);
    const reset = { token: await app.mails.to(second).last().token, new_password: 'thiefs-choice' };
    await post('/auth/password/reset', reset).expect(204);

    app.clock.advance('6d');
    await post('/auth/email/undo', { token }).expect(204);
    expectError(await post('/auth/email/undo', { token: thiefsUndo }), 400, 'link_invalid');
    await post('/auth/password/forgot', { username: owner }).expect(202);
    const mine = { token: await app.mails.to(owner).last().token, new_password: 'owners-choice' };
    await post('/auth/password/reset', mine).expect(204);
    await post('/auth/login', { username: owner, password: 'owners-choice' }).expect(200);
  });

  it('cannot be given back after seven days, nor to an address that another account has by then', async () => {
    const [before, after] = [newAddress(), newAddress()];
    const agent = await fresh(before);
    await move(agent, after);
    const token = await app.mails.to(before).last().token;
    const other = await fresh();
    await move(other, before);
    expectError(await post('/auth/email/undo', { token }), 409, 'email_taken');
    app.clock.advance('7d');
    expectError(await post('/auth/email/undo', { token }), 400, 'link_invalid');
  });

  it('of a deleted account is free, and its mails are gone', async () => {
    const email = newAddress();
    const agent = await fresh(email);
    await ask(agent, newAddress());
    const token = await (await ask(agent, newAddress())).token;
    await agent.delete('/profile').expect(204);
    const mails = app.get(Database).selectFrom('mails').select('id');
    expect(await mails.where('user_id', '=', agent.user.id).execute()).toEqual([]);
    const other = await fresh();
    expectError(await other.post('/auth/email/verify').send({ token }), 400, 'link_invalid');
    await move(other, email);
  });

  it('is changed with an audit event', async () => {
    const heard: unknown[] = [];
    app.get(AuditLog).listen((entry) => heard.push(entry));
    const agent = await fresh();
    await move(agent, newAddress());
    expect(heard).toContainEqual(
      expect.objectContaining({
        event: 'user_updated',
        cause: 'email_changed',
        subjectId: agent.user.id,
        at: app.get(Clock).now(),
      }),
    );
  });
});

describeEachEngine('the username', (engine) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ engine });
  });
  afterAll(() => app.close());

  it('is changed with a fresh token, to one that is free', async () => {
    const cosmo = await app.as('cosmo').fresh();
    await app.user('laika');
    expectError(await cosmo.patch('/profile').send({ username: 'Laika' }), 409, 'username_taken');
    const { body } = await cosmo.patch('/profile').send({ username: 'Cosmo.2' }).expect(200);
    expect(body.username).toBe('cosmo.2');
    await cosmo.patch('/profile').send({ username: 'cosmo.2' }).expect(200);
    expect((await cosmo.get('/profile').expect(200)).body.username).toBe('cosmo.2');
    const { password } = cosmo.user;
    const logIn = (username: string) => app.request('POST', '/auth/login').send({ username, password });
    await logIn('cosmo.2').expect(200);
    expectError(await logIn('cosmo'), 401, 'invalid_credentials');
    const stale = await app.as('laika').stale();
    expectError(await stale.patch('/profile').send({ username: 'belka' }), 401, 'fresh_token_required');
  });

  it.each(['a@example.com', 'ab', '', null, 7])('cannot be %j', async (username) => {
    const agent = await app.as('strelka').fresh();
    expectError(await agent.patch('/profile').send({ username }), 400, 'validation_failed');
  });

  it('goes to one of two who take it at once', async () => {
    const agents = [await app.as('one').fresh(), await app.as('two').fresh()];
    const answers = await Promise.all(
      agents.map((agent) => agent.patch('/profile').send({ username: 'same' })),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409]);
  });
});

describeEachEngine('notices to the owner', (engine) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({ engine });
  });
  beforeEach(() => app.clock.advance('2h'));
  afterAll(() => app.close());

  const newUser = (to = app) => to.user(undefined, { email: `dog-${++counter}@example.com` });
  const emailOf = () => `dog-${counter}@example.com`;
  const subjects = async (from = app) =>
    (await from.mails.to(emailOf()).all()).map(({ subject }) => subject.replace(/ at .*/, ''));
  const logIn = ({ username, password }: TestUser, agent: string, device?: string, to = app) => {
    const request = to.request('POST', '/auth/login').set('User-Agent', agent);
    if (device !== undefined) request.set('X-Device-Token', device);
    return request.send({ username, password }).expect(200);
  };

  it('tell of a new device, not of the first login, nor of a device that is known', async () => {
    const user = await newUser();
    const first = await logIn(user, 'Laptop');
    expect(await subjects()).toEqual([]);
    await logIn(user, 'Laptop');
    await logIn(user, 'Laptop, updated', String(first.headers['x-device-token']));
    expect(await subjects()).toEqual([]);
    await logIn(user, 'Phone <script>');
    expect(await subjects()).toEqual(['New login']);
    const mail = app.mails.to(emailOf()).last();
    expect(await mail.text).toContain('127.0.0.1, Phone <script>');
    expect(await mail.html).toContain('Phone &lt;script&gt;');
    await logIn(user, 'Phone <script>');
    expect(await subjects()).toHaveLength(1);
  });

  it('tell of a new device that presents the device token of another user', async () => {
    const other = await newUser();
    const theirs = String((await logIn(other, 'Laptop')).headers['x-device-token']);
    const user = await newUser();
    await logIn(user, 'Laptop');
    await logIn(user, 'Phone', theirs);
    expect(await subjects()).toEqual(['New login']);
  });

  it('tell of a changed password and of a refresh token that was used twice', async () => {
    const user = await newUser();
    const login = await user.login();
    const stolen = login.refresh;
    await login.rotate('a'.repeat(20));
    app.clock.advance('1m');
    await login.tryRefresh(stolen).expect(401);
    expect(await subjects()).toEqual(['Session ended']);
    const again = await user.login();
    const body = { current_password: user.password, new_password: 'lunar-dachshund' };
    await app.request('PUT', '/auth/password', again.access).send(body).expect(200);
    expect(await subjects()).toEqual(['Session ended', 'Password changed']);
  });

  it('tell of a factor that was added or removed, by the audit event', async () => {
    const user = await newUser();
    for (const event of ['authn_factor_added', 'authn_factor_removed', 'authn_recovery_code_used'] as const)
      await app.get(Database).inTransaction(async (tx) => {
        const entry = { event, subjectId: user.id, at: app.get(Clock).now() };
        await app.get(AuditLog).record(entry, TEST_CALLER, tx);
      });
    expect(await subjects()).toEqual(['Way to log in added', 'Way to log in removed', 'Recovery code used']);
  });

  it('tell of a factor that is enrolled over HTTP', async () => {
    const user = await newUser();
    await app.as(user).with.otp().fresh();
    expect(await subjects()).toEqual(['Way to log in added']);
  });

  it('are lost with their cause, and only with it', async () => {
    const user = await newUser();
    const work = app.get(Database).inTransaction(async (tx) => {
      const entry = { event: 'authn_token_reuse', subjectId: user.id, at: app.get(Clock).now() } as const;
      await app.get(AuditLog).record(entry, TEST_CALLER, tx);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await subjects()).toEqual([]);
  });

  it('are not used up by requests for links: a thief cannot silence them', async () => {
    const user = await newUser();
    for (let i = 0; i < 4; i++)
      await app.request('POST', '/auth/password/forgot').send({ username: user.username }).expect(202);
    const login = await user.login();
    const body = { current_password: user.password, new_password: 'lunar-dachshund' };
    await app.request('PUT', '/auth/password', login.access).send(body).expect(200);
    const got = await subjects();
    expect(got.filter((subject) => subject === 'Reset your password')).toHaveLength(3);
    expect(got).toContain('Password changed');
  });

  it('are not written for an account without an address', async () => {
    const user = await app.user();
    await logIn(user, 'Laptop');
    await logIn(user, 'Phone');
    const rows = app.get(Database).selectFrom('mails').select('id').where('user_id', '=', user.id);
    expect(await rows.execute()).toEqual([]);
  });

  it('can be switched off one by one', async () => {
    const quiet = await createTestApp({ engine, env: { MAIL_NOTICES_OFF: 'new_device,email_changed' } });
    try {
      const user = await newUser(quiet);
      const before = emailOf();
      await logIn(user, 'Laptop', undefined, quiet);
      await logIn(user, 'Phone', undefined, quiet);
      const agent = await quiet.as(user).fresh();
      const email = `dog-${++counter}@example.com`;
      await agent.put('/auth/email').send({ email }).expect(202);
      const token = await quiet.mails.to(email).last().token;
      await agent.post('/auth/email/verify').send({ token }).expect(204);
      expect(await quiet.mails.to(before).all()).toEqual([]);
      const body = { current_password: user.password, new_password: 'lunar-dachshund' };
      await agent.put('/auth/password').send(body).expect(200);
      expect(await subjects(quiet)).toEqual(['Confirm your e-mail address', 'Password changed']);
    } finally {
      await quiet.close();
    }
  });
});
