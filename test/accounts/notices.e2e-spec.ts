import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { AuditLog, Clock } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { TEST_CALLER } from '../../src/testing/token-agents.js';
import { createTestApp, type TestApp, type TestUser } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';

let counter = 0;

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
