import { afterAll, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Database } from '../../../src/database/index.js';
import { composeBodies, type MailRequest, MailSender, Outbox } from '../../../src/mail/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { createTestDatabase, describeEachEngine, type TestDatabase } from '../../support/engines.js';
import { TestSmtp } from '../../support/smtp.js';
import { TestClock } from '../../../src/testing/index.js';

describeEachEngine('the outbox', (engine) => {
  let smtp: TestSmtp;
  let database: TestDatabase;
  let clock: TestClock;
  let app: TestApp;
  const apps: TestApp[] = [];

  const start = async () => {
    const env = { SMTP_URL: smtp.url, MAIL_FROM: 'Dogs <dogs@app.example>' };
    const started = await createTestApp({ engine, database, clock, env });
    apps.push(started);
    register(started);
    return started;
  };
  const register = (to: TestApp) => {
    const compose = async ({ userId, data }: MailRequest) => ({
      userId,
      to: data['to'] ?? '',
      subject: data['subject'] ?? 'Hello',
      ...composeBodies({ subject: '', before: [`<b>${data['text'] ?? 'woof'}</b>`] }),
    });
    const outbox = to.get(Outbox);
    outbox.register({ name: 'ask', limit: 'ask', beyondLimit: 'drop', compose });
    outbox.register({ name: 'tell', limit: 'tell', beyondLimit: 'wait', compose });
  };
  const add = (to: string, kind = 'ask', userId?: string, from = app) =>
    from
      .get(Database)
      .inTransaction((tx) => from.get(Outbox).add(tx, { kind, data: { to }, ...(userId ? { userId } : {}) }));
  const run = (from = app) => from.get(MailSender).run();
  const left = async () =>
    app.get(Database).selectFrom('mails').selectAll().where('sent_at', 'is', null).execute();

  beforeAll(async () => {
    smtp = await TestSmtp.start();
    database = await createTestDatabase(engine);
    clock = new TestClock();
    app = await start();
  });
  beforeEach(async () => {
    await app.get(Database).deleteFrom('mails').execute();
    smtp.mails.length = 0;
    smtp.behaviour = {};
  });
  afterAll(async () => {
    for (const each of apps) await each.close();
    await smtp.down();
    await database.drop();
  });

  it('sends a mail once its cause has committed, to the one address alone', async () => {
    await add('cosmo@example.com');
    await run();
    expect(smtp.mails).toHaveLength(1);
    const [mail] = smtp.mails;
    expect(mail).toMatchObject({
      recipients: ['cosmo@example.com'],
      subject: 'Hello',
      text: '<b>woof</b>\n',
      from: { text: '"Dogs" <dogs@app.example>' },
      to: { text: 'cosmo@example.com' },
    });
    expect(mail?.html).toContain('&lt;b&gt;woof&lt;/b&gt;');
    expect(mail?.messageId).toMatch(/^<[\w-]{36}@app\.example>$/);
    expect(mail?.headers.get('auto-submitted')).toBe('auto-generated');
    expect(await left()).toEqual([]);
    await run();
    expect(smtp.mails).toHaveLength(1);
  });

  it('sends nothing of a transaction that is rolled back', async () => {
    const work = app.get(Database).inTransaction(async (tx) => {
      await app.get(Outbox).add(tx, { kind: 'ask', data: { to: 'cosmo@example.com' } });
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    await run();
    expect(smtp.mails).toEqual([]);
  });

  it.each(['victim@example.com,attacker@example.net', 'Victim@example.com', '', 'a b@example.com'])(
    'gives the mail server no recipient %j',
    async (to) => {
      await add(to);
      await run();
      expect(smtp.mails).toEqual([]);
      expect(await left()).toHaveLength(1);
    },
  );

  it('tries again while the server is down, and delivers after an hour', async () => {
    await smtp.down();
    await add('cosmo@example.com');
    for (let minutes = 0; minutes < 60; minutes += 5) {
      await run();
      clock.advance('5m');
    }
    expect(await left()).toMatchObject([{ tries: 4, sent_at: null }]);
    await smtp.up();
    clock.advance('1h');
    await run();
    expect(smtp.mails).toHaveLength(1);
    expect(await left()).toEqual([]);
  });

  it('gives up after two days', async () => {
    await smtp.down();
    await add('cosmo@example.com');
    for (let hours = 0; hours < 50; hours++) {
      await run();
      clock.advance('1h');
    }
    expect(await left()).toEqual([]);
    await smtp.up();
    await run();
    expect(smtp.mails).toEqual([]);
  });

  it('sends the others when the server refuses one recipient, and that one when it no longer does', async () => {
    smtp.behaviour = { refuse: (address) => (address === 'belka@example.com' ? 550 : undefined) };
    for (const name of ['cosmo', 'belka', 'strelka']) await add(`${name}@example.com`);
    await run();
    expect(smtp.mails.map(({ recipients: [to] }) => to)).toEqual([
      'cosmo@example.com',
      'strelka@example.com',
    ]);
    smtp.behaviour = {};
    clock.advance('1m');
    await run();
    expect(smtp.to('belka@example.com')).toHaveLength(1);
  });

  it('sends at most 3 an hour to an address and for an account: drops mails that a client asked for', async () => {
    for (let i = 0; i < 5; i++) await add('cosmo@example.com');
    for (let i = 0; i < 5; i++) await add(`other-${i}@example.com`, 'ask', 'belka');
    await run();
    expect(smtp.to('cosmo@example.com')).toHaveLength(3);
    expect(smtp.mails).toHaveLength(6);
    expect(await left()).toEqual([]);
    clock.advance('1h');
    await add('cosmo@example.com');
    await run();
    expect(smtp.to('cosmo@example.com')).toHaveLength(4);
  });

  it('keeps a notice beyond the limit for the next hour', async () => {
    for (let i = 0; i < 5; i++) await add('cosmo@example.com', 'tell');
    await run();
    expect(smtp.mails).toHaveLength(3);
    clock.advance('59m');
    await run();
    expect(smtp.mails).toHaveLength(3);
    clock.advance('1m');
    await run();
    expect(smtp.mails).toHaveLength(5);
  });

  it('sends nothing twice while a slow server has not answered', async () => {
    let answer = () => {};
    const waiting = new Promise<void>((resolve) => (answer = resolve));
    smtp.behaviour = { beforeAnswer: () => waiting };
    await add('cosmo@example.com');
    const slow = run();
    clock.advance('1m');
    await app.get(Database).selectFrom('mails').select('id').execute();
    expect(await left()).toHaveLength(1);
    answer();
    await slow;
    await run();
    expect(smtp.mails).toHaveLength(1);
  });

  it('forgets the mails of an account', async () => {
    smtp.behaviour = { refuse: () => 450 };
    await add('cosmo@example.com', 'ask', 'cosmo');
    await add('belka@example.com', 'ask', 'belka');
    await run();
    await app.get(Database).inTransaction((tx) => app.get(Outbox).deleteOf(tx, 'cosmo'));
    expect(await left()).toMatchObject([{ user_id: 'belka' }]);
  });

  if (engine === 'postgres')
    it('sends each mail once, from four instances at a time', async () => {
      const others = [await start(), await start(), await start()];
      smtp.behaviour = { refuse: () => 450 };
      for (let i = 0; i < 40; i++) await add(`dog-${i}@example.com`);
      for (let i = 0; i < 10; i++) await add('cosmo@example.com', 'tell');
      await run();
      smtp.behaviour = {};
      clock.advance('1m');
      await Promise.all([app, ...others].map(run));
      await Promise.all([app, ...others].map(run));
      const dogs = smtp.mails.filter(({ recipients: [to] }) => to?.startsWith('dog-'));
      expect(dogs).toHaveLength(40);
      expect(new Set(dogs.map(({ recipients: [to] }) => to)).size).toBe(40);
      expect(smtp.to('cosmo@example.com')).toHaveLength(3);
    });

  it('sends a mail that another instance had claimed when it crashed, once the claim is over', async () => {
    await smtp.down();
    await add('cosmo@example.com');
    await run();
    const claimed = { next_try_at: clock.now(), claimed_until: clock.now() + 120_000 };
    await app.get(Database).updateTable('mails').set(claimed).execute();
    await smtp.up();
    clock.advance('1m');
    await run();
    expect(smtp.mails).toEqual([]);
    clock.advance('1m');
    await run();
    expect(smtp.mails).toHaveLength(1);
  });
});
