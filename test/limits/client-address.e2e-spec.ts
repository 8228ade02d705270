import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { describeEachAdapter } from '../support/adapters.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { launch } from '../support/server-process.js';
import { auditOf, BEHIND_PROXY, expectLimited, fail, login } from './strangers.js';

const limits = { accountAndAddress: '2 per 1h' };

/** The address under which a login with these headers is written down. */
async function seenAs(api: TestApp, forwarded: string | string[]): Promise<string | null | undefined> {
  await api
    .request('POST', '/auth/login')
    .set('X-Forwarded-For', forwarded as string)
    .send({ username: 'nobody', password: 'wrong-password' });
  return (await auditOf(api, 'authn_login_fail')).at(-1)?.ip;
}

describeEachAdapter('#85 the address of a client, with no proxy that is trusted', (stack) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ ...stack, auth: { limits } });
  });
  afterAll(() => api.close());

  it.each(['192.0.2.1', '192.0.2.1, 127.0.0.1', '::1', 'junk'])(
    'is that of the socket, whatever X-Forwarded-For says: %s',
    async (forwarded) => {
      expect(await seenAs(api, forwarded)).toBe('127.0.0.1');
    },
  );

  it('cannot be changed to evade a limit', async () => {
    const { username, password } = await api.register();
    await fail(api, username, 2);
    expectLimited(await login(api, username, password), 'account-and-address', 2, 3600);
  });
});

describeEachAdapter('#85 the address of a client, behind trusted proxies', (stack) => {
  let api: TestApp;
  beforeAll(async () => {
    const env = { TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8, fd00::/8' };
    api = await createTestApp({ ...stack, env });
  });
  afterAll(() => api.close());

  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['192.0.2.1, fd00::1, 10.1.2.3', '192.0.2.1'],
    ['192.0.2.1,10.1.2.3', '192.0.2.1'],
    // What the client itself has sent stands left of what the first proxy that is ours has seen.
    ['203.0.113.9, 192.0.2.1', '192.0.2.1'],
    ['10.9.9.9, 192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['junk, 192.0.2.1, 10.1.2.3', '192.0.2.1'],
    ['127.0.0.1, 192.0.2.1', '192.0.2.1'],
    ['192.0.2.1:4711', '192.0.2.1'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['2001:DB8:0::1', '2001:db8::1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    // Only proxies have spoken: the farthest of them is who asks.
    ['10.1.2.3', '10.1.2.3'],
    ['10.1.2.4, 10.1.2.3', '10.1.2.4'],
    // No address where one should be: nobody else's is taken for it.
    ['junk', '127.0.0.1'],
    ['192.0.2.1, junk', '127.0.0.1'],
    ['192.0.2.1, unknown, 10.1.2.3', '127.0.0.1'],
    ['', '127.0.0.1'],
    ['x'.repeat(4000), '127.0.0.1'],
  ])('of X-Forwarded-For: %s is %s', async (forwarded, address) => {
    expect(await seenAs(api, forwarded)).toBe(address);
  });
});

describe('#85 a client behind a trusted proxy', () => {
  it('neither evades its limit nor uses up that of another', async () => {
    const api = await createTestApp({ env: BEHIND_PROXY, auth: { limits } });
    try {
      const { username, password } = await api.register();
      // What the proxy appends is the last one.
      const forge = (claimed: string) => ({ address: `${claimed}, 192.0.2.66` });
      await fail(api, username, 1, forge('192.0.2.1'));
      await fail(api, username, 1, forge('192.0.2.2'));
      expectLimited(await login(api, username, password, forge('192.0.2.3')), 'account-and-address', 2, 3600);
      for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
        expect((await login(api, username, password, { address })).status).toBe(200);
    } finally {
      await api.close();
    }
  });

  it('is not counted where TRUSTED_PROXIES is wrong: the start stops, and names it', async () => {
    const server = launch({ env: { TRUSTED_PROXIES: '10.0.0.0/8,loopback' } });
    server.listening.catch(() => {});
    expect(await server.exit).toEqual({ code: 1, signal: null });
    expect(server.errors).toContain(
      'TRUSTED_PROXIES: must list addresses or networks like 10.0.0.0/8, none of which is everybody; "loopback" is none',
    );
  });
});
