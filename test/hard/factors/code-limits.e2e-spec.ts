import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from '@jest/globals';
import { Database } from '../../../src/database/index.js';
import { TestClock } from '../../../src/testing/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import {
  createTestDatabase,
  describeEachEngine,
  describePostgres,
  type TestDatabase,
} from '../../support/engines.js';
import { expectError } from '../../support/expect-error.js';
import { answer, challengeOf, enrolled, type Enrolled, loginWith } from '../../support/factors.js';

const wrongFor = (own: Enrolled) => {
  const right = [-1, 0, 1].map((step) => own.authenticator.code(step));
  return { otp: ['000000', '111111', '222222', '333333'].find((code) => !right.includes(code)) };
};

describeEachEngine('guesses of codes', (engine) => {
  let api: TestApp;
  let own: Enrolled;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    api.clock.advance('2m');
    own = await enrolled(api);
  });

  const events = async () =>
    (
      await api
        .get(Database)
        .selectFrom('audit_events')
        .select(['event', 'cause'])
        .where('subject_id', '=', own.user.id)
        .where('outcome', '=', 'fail')
        .orderBy('id')
        .execute()
    ).map(({ event, cause }) => `${event} ${cause}`);

  it('are five in 15 minutes, across challenges, sessions and ways in, with right codes refused too', async () => {
    const { user, before, authenticator } = own;
    const challenge = await challengeOf(api, user);
    const wrong = wrongFor(own);
    const ways = [
      () => answer(api, challenge, wrong),
      () => loginWith(api, user, wrong),
      () => before.tryReauthenticate(before.refresh, user.password).send(wrong),
      async () => answer(api, await challengeOf(api, user), { recovery_code: 'A'.repeat(16) }),
      () => answer(api, challenge, wrong),
    ];
    for (const way of ways) expectError(await way(), 401, 'invalid_credentials');
    const [recovery_code] = authenticator.recoveryCodes;
    for (const right of [{ otp: authenticator.code() }, { recovery_code }]) {
      const refused = await answer(api, challenge, right);
      expectError(refused, 429, 'rate_limited');
      expect(refused.headers['retry-after']).toBe('900');
    }
    expect(await events()).toEqual([
      ...Array(5).fill('authn_factor_fail wrong_code'),
      'authn_factor_fail_max factor',
    ]);
    // Others are not concerned, nor is the password.
    const other = await enrolled(api);
    await loginWith(api, other.user, { otp: other.authenticator.code() }).expect(200);
    expectError(await loginWith(api, user), 401, 'second_factor_required');
    api.clock.advance('15m');
    await loginWith(api, user, { otp: authenticator.code() }).expect(200);
  });

  it('are 100 in 30 days, and a success resets nothing', async () => {
    const { user, authenticator } = own;
    for (let guesses = 0; guesses < 100; guesses++) {
      if (guesses % 4 === 0) {
        api.clock.advance('15m');
        await loginWith(api, user, { otp: authenticator.code() }).expect(200);
      }
      const challenge = await challengeOf(api, user);
      expectError(await answer(api, challenge, wrongFor(own)), 401, 'invalid_credentials');
    }
    api.clock.advance('1d');
    const refused = await loginWith(api, user, { otp: authenticator.code() });
    expectError(refused, 429, 'rate_limited');
    expect(refused.headers['ratelimit-policy'] ?? refused.headers['ratelimit']).toContain('factor-long');
    expect((await events()).at(-1)).toBe('authn_factor_fail_max factor-long');
    api.clock.advance('30d');
    await loginWith(api, user, { otp: authenticator.code() }).expect(200);
  });

  it('of many at once are no more than the limit', async () => {
    const challenge = await challengeOf(api, own.user);
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => answer(api, challenge, wrongFor(own))),
    );
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(25);
  });
});

describePostgres('guesses of codes at two instances', () => {
  let database: TestDatabase;
  const apps: TestApp[] = [];
  afterEach(async () => {
    for (const each of apps.splice(0)) await each.close();
    await database.drop();
  });

  it('are counted together, and a code opens one session', async () => {
    database = await createTestDatabase('postgres');
    const clock = new TestClock();
    const { mkdtempSync } = await import('node:fs');
    const keysFile = `${mkdtempSync('/tmp/freshgate-keys-')}/keys.json`;
    for (let n = 0; n < 2; n++) apps.push(await createTestApp({ database, clock, keysFile }));
    const [one, two] = apps as [TestApp, TestApp];
    const own = await enrolled(one);
    const challenge = await challengeOf(one, own.user);
    const at = (n: number) => (n % 2 ? one : two);
    const otp = own.authenticator.code();
    const right = await Promise.all(Array.from({ length: 10 }, (_, n) => answer(at(n), challenge, { otp })));
    expect(right.filter(({ status }) => status === 200)).toHaveLength(1);
    clock.advance('15m');
    const next = await challengeOf(two, own.user);
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) => answer(at(n), next, wrongFor(own))),
    );
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(5);
  });
});
