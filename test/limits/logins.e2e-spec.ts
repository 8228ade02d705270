import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { AccountAdmin } from '../../src/auth/accounts/account-admin.js';
import { createTestApp, type TestApp, type TestUser } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { auditOf, BEHIND_PROXY, expectLimited, fail, hashesDuring, login, newAddress } from './strangers.js';

const LIMITS = {
  account: '6 per 1h',
  accountAndAddress: '3 per 15m',
  address: '8 per 1h',
  device: '4 per 1h',
};

describeEachEngine('wrong passwords at login', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine, env: BEHIND_PROXY, auth: { limits: LIMITS } });
  });
  afterAll(() => api.close());

  const deviceOf = async ({ username, password }: TestUser) =>
    (await login(api, username, password)).headers['x-device-token'];

  /** From as many addresses as there are attempts. */
  const exhaust = async ({ username }: TestUser) => {
    await fail(api, username, 6);
    expectLimited(await login(api, username, 'wrong-password'), 'account', 6, 3600);
  };

  it('from one address are limited for each account', async () => {
    const [user, other] = [await api.user(), await api.user()];
    const address = newAddress();
    await fail(api, user.username, 3, { address });
    const hashed = await hashesDuring(api, async () => {
      expectLimited(
        await login(api, user.username, user.password, { address }),
        'account-and-address',
        3,
        900,
      );
    });
    expect(hashed).toBe(0);
    expect((await login(api, user.username, user.password)).status).toBe(200);
    expect((await login(api, other.username, other.password, { address })).status).toBe(200);
  });

  it('from one address are limited for all accounts together, known or not', async () => {
    const user = await api.user();
    const address = newAddress();
    for (let i = 0; i < 8; i++) await fail(api, `nobody-${i}`, 1, { address });
    expectLimited(await login(api, user.username, user.password, { address }), 'address', 8, 3600);
    const device = await deviceOf(user);
    // A device that the owner has used is counted by itself: strangers behind the same address cannot lock it out.
    expect((await login(api, user.username, user.password, { address, device })).status).toBe(200);
  });

  it('from one IPv6 site count as one address', async () => {
    const user = await api.user();
    const site = `2001:db8:${engine === 'sqlite' ? 1 : 2}:7`;
    for (let i = 0; i < 3; i++) await fail(api, user.username, 1, { address: `${site}:${i}::${i}` });
    const inside = { address: `${site}:ffff::1` };
    expectLimited(await login(api, user.username, user.password, inside), 'account-and-address', 3, 900);
    const beside = { address: `${site.slice(0, -1)}8::1` };
    expect((await login(api, user.username, user.password, beside)).status).toBe(200);
  });

  it('from many IPv6 sites of one /48 are limited together', async () => {
    const user = await api.user();
    const provider = `2001:db8:${engine === 'sqlite' ? 'a' : 'b'}`;
    for (let i = 0; i < 32; i++) await fail(api, `nobody-${i}`, 1, { address: `${provider}:${i}::1` });
    const inside = { address: `${provider}:ffff::1` };
    expectLimited(await login(api, user.username, user.password, inside), 'address-wide', 32, 3600);
    const beside = { address: `2001:db8:${engine === 'sqlite' ? 'c' : 'd'}::1` };
    expect((await login(api, user.username, user.password, beside)).status).toBe(200);
  });

  it('do not lock out the owner on a known device', async () => {
    const user = await api.user();
    const device = await deviceOf(user);
    expect(device).toMatch(/^[\w-]{22}\./);
    await exhaust(user);
    const hashed = await hashesDuring(api, async () => {
      expectLimited(await login(api, user.username, user.password), 'account', 6, 3600);
    });
    expect(hashed).toBe(0);
    expect((await login(api, user.username, user.password, { device })).status).toBe(200);
  });

  it('are not excused by a forged device token or that of another account', async () => {
    const [user, thief] = [await api.user(), await api.user()];
    const own = await deviceOf(thief);
    await exhaust(user);
    for (const device of [own, `${own}x`, 'x', '', 'a.b.c', `${own}, ${own}`])
      expectLimited(await login(api, user.username, user.password, { device }), 'account', 6, 3600);
  });

  it('on a known device are limited by its own counter, and change no other counter', async () => {
    const user = await api.user();
    const [stolen, own] = [await deviceOf(user), await deviceOf(user)];
    await fail(api, user.username, 4, { device: stolen });
    expectLimited(await login(api, user.username, user.password, { device: stolen }), 'device', 4, 3600);
    expect((await login(api, user.username, user.password, { device: own })).status).toBe(200);
    await exhaust(user);
  });

  it('count for one account, however its name is spelt', async () => {
    const user = await api.user();
    const name = user.username;
    const others = [
      `${name}\u0000`,
      `${name.slice(0, 2)} ${name.slice(2)}`,
      `${name}\u200b`,
      name.replace('u', 'ｕ'),
    ];
    for (const spelling of [...others, name.replace('s', 'ſ'), name.replace('-', '\u2010'), `${name}@`])
      expect([spelling, (await login(api, spelling, user.password)).status]).toEqual([spelling, 401]);
    const same = [name.toUpperCase(), name.replace('u', 'U'), ` ${name}`, `${name} `, `${name}\t`];
    for (const spelling of same) expect((await login(api, spelling, user.password)).status).toBe(200);
    for (let i = 0; i < 3; i++) {
      await fail(api, name.toUpperCase(), 1);
      await fail(api, `${name} `, 1);
    }
    expectLimited(await login(api, name, user.password), 'account', 6, 3600);
  });

  it('do not count for the owner: while hundreds of strangers guess, a known device can log in', async () => {
    const user = await api.user();
    const device = await deviceOf(user);
    const strangers = Array.from({ length: 200 }, () => login(api, user.username, 'wrong-password'));
    const owner = await login(api, user.username, user.password, { device });
    const statuses = (await Promise.all(strangers)).map(({ status }) => status);
    expect(owner.status).toBe(200);
    expect(statuses.filter((status) => status === 401)).toHaveLength(6);
  });

  it('are not excused by the device token of a deleted account, also not for a new account of the same name', async () => {
    const user = await api.user();
    const device = await deviceOf(user);
    const { access } = await user.login();
    await api.request('DELETE', '/profile', access).expect(204);
    await fail(api, user.username, 6, { device });
    const next = await api.user(user.username);
    await exhaust(next);
    expectLimited(await login(api, user.username, next.password, { device }), 'account', 6, 3600);
  });

  it('of a disabled account are counted like all others, its device too', async () => {
    const user = await api.user();
    const device = await deviceOf(user);
    await api.get(AccountAdmin).disable(user.username);
    for (let i = 0; i < 4; i++)
      expectError(await login(api, user.username, user.password, { device }), 401, 'invalid_credentials');
    expectLimited(await login(api, user.username, user.password, { device }), 'device', 4, 3600);
    await exhaust(user);
  });

  it('in parallel are hashed no more often than they are allowed', async () => {
    const { username } = await api.user();
    const statuses: number[] = [];
    const hashed = await hashesDuring(api, () =>
      Promise.all(
        Array.from({ length: 100 }, async () => {
          statuses.push((await login(api, username, 'wrong-password')).status);
        }),
      ),
    );
    expect(hashed).toBe(6);
    expect(statuses.filter((status) => status === 401)).toHaveLength(6);
    expect(statuses.filter((status) => status === 429)).toHaveLength(94);
  });

  it('are counted for unknown usernames exactly as for existing ones', async () => {
    const user = await api.user();
    const answersFor = async (username: string, address: string) => {
      const answers: unknown[] = [];
      for (let i = 0; i < 5; i++) answers.push(await login(api, username, 'wrong-password', { address }));
      for (let i = 0; i < 5; i++) answers.push(await login(api, username, 'wrong-password'));
      return (answers as Awaited<ReturnType<typeof login>>[]).map(({ status, body, headers }) => ({
        status,
        body: body as unknown,
        names: Object.keys(headers).toSorted(),
        policy: headers['ratelimit-policy'],
      }));
    };
    const known = await answersFor(user.username, newAddress());
    expect(known.map(({ status }) => status)).toEqual([401, 401, 401, 429, 429, 401, 401, 401, 429, 429]);
    expect(await answersFor('nobody-of-that-name', newAddress())).toEqual(known);
    expect(await answersFor('no\u0000body of that name', newAddress())).toEqual(known);
  });

  it('are forgiven on that address by a success, and nowhere else', async () => {
    const user = await api.user();
    const address = newAddress();
    for (let round = 0; round < 2; round++) {
      await fail(api, user.username, 2, { address });
      expect((await login(api, user.username, user.password, { address })).status).toBe(200);
    }
    await fail(api, user.username, 2, { address });
    expectLimited(await login(api, user.username, user.password, { address }), 'account', 6, 3600);
  });

  it('are not forgiven to an address by a success with another account', async () => {
    const [victim, own] = [await api.user(), await api.user()];
    const address = newAddress();
    for (let i = 0; i < 8; i++) {
      await fail(api, `${victim.username}-${i}`, 1, { address });
      if (i < 7) expect((await login(api, own.username, own.password, { address })).status).toBe(200);
    }
    expectLimited(await login(api, own.username, own.password, { address }), 'address', 8, 3600);
  });

  it('count, but successful logins do not, also in parallel', async () => {
    const user = await api.user();
    const address = newAddress();
    for (let i = 0; i < 12; i++)
      expect((await login(api, user.username, user.password, { address })).status).toBe(200);
    const burst = Array.from({ length: 10 }, () => login(api, user.username, user.password, { address }));
    const statuses = (await Promise.all(burst)).map(({ status }) => status);
    expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
    await fail(api, user.username, 3, { address });
  });

  it('that use a limit up are recorded in the audit trail once, and not with each refusal', async () => {
    const user = await api.user();
    const before = (await auditOf(api, 'authn_login_fail_max')).length;
    const address = newAddress();
    await fail(api, user.username, 3, { address });
    await fail(api, user.username, 3);
    for (let i = 0; i < 20; i++) await login(api, user.username, 'wrong-password', { address });
    for (let i = 0; i < 20; i++) await login(api, user.username, 'wrong-password');
    const told = (await auditOf(api, 'authn_login_fail_max')).slice(before);
    expect(told).toEqual([
      { cause: 'account-and-address', subject_id: user.id, ip: address, outcome: 'fail', session_id: null },
      { cause: 'account', subject_id: user.id, ip: expect.any(String), outcome: 'fail', session_id: null },
    ]);
  });
});

describeEachEngine('a limit on logins', (engine) => {
  it('ends with its window', async () => {
    const limits = { account: '2 per 1h', accountAndAddress: '2 per 1h' };
    const api = await createTestApp({ engine, auth: { limits } });
    // Of the clock that the counters of this engine read.
    const clock = engine === 'postgres' ? Date : performance;
    const start = clock.now();
    const spy = jest.spyOn(clock, 'now').mockReturnValue(start);
    try {
      const { username, password } = await api.user();
      await fail(api, username, 2);
      const refused = await login(api, username, password);
      expectLimited(refused, 'account-and-address', 2, 3600);
      expect(refused.headers['retry-after']).toBe('3600');
      spy.mockReturnValue(start + 3_599_999);
      expectLimited(await login(api, username, password), 'account-and-address', 2, 3600);
      spy.mockReturnValue(start + 3_600_000);
      expect((await login(api, username, password)).status).toBe(200);
    } finally {
      spy.mockRestore();
      await api.close();
    }
  });
});
