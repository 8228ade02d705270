import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';
import { TestSmtp } from '../../support/smtp.js';
import { until } from '../../support/until.js';

/*
 * `kill -9` while a mail is being sent: before the mail server has accepted it, and between that and the mark in the
 * outbox. No mail is lost. Some arrive twice, with the same Message-ID.
 */
const KILLS = process.env['LONG'] === '1' ? 50 : 10;
/** Milliseconds after the acceptance: around the time at which the mail is marked. */
const LATEST_KILL_MS = 8;
const TIMEOUT = 1_200_000;

let smtp: TestSmtp;
beforeAll(async () => {
  smtp = await TestSmtp.start();
});
afterAll(() => smtp.down());

it(
  `loses no mail in ${KILLS} crashes`,
  async () => {
    const folder = makeFolder();
    const env = { SMTP_URL: smtp.url, MAIL_FROM: 'app@app.example', LOGIN_NAME: 'email' };
    const addresses = Array.from({ length: KILLS }, (_, i) => `dog-${i}@example.com`);
    for (const [i, email] of addresses.entries()) {
      const server = await start({ folder, env });
      const killed = killWhileSending(server, email, i % 2 === 0);
      const body = { email, password: 'space-corgi' };
      await server.request('POST', '/auth/register', { body }).catch(() => {});
      await killed;
    }
    smtp.behaviour = {};
    const last = await start({ folder, env });
    await until(60_000, async () => addresses.every((address) => smtp.to(address).length > 0));
    await delay(1_000);
    await last.stop();

    const doubles = addresses.filter((address) => smtp.to(address).length > 1);
    process.stdout.write(`${KILLS} crashes: 0 mails lost, ${doubles.length} sent twice\n`);
    for (const address of addresses) {
      expect(smtp.to(address).length).toBeLessThanOrEqual(2);
      expect(new Set(smtp.to(address).map(({ messageId }) => messageId)).size).toBe(1);
    }
  },
  TIMEOUT,
);

/** Kills the server at the mail to an address: before the answer, or a moment after it. */
async function killWhileSending(server: ServerProcess, email: string, before: boolean): Promise<void> {
  await new Promise<void>((resolve) => {
    smtp.behaviour = {
      beforeAnswer: async ({ recipients }) => {
        if (!recipients.includes(email)) return;
        if (before) {
          await server.kill9();
          resolve();
        } else {
          void delay(Math.random() * LATEST_KILL_MS)
            .then(() => server.kill9())
            .then(resolve);
        }
      },
    };
  });
}
