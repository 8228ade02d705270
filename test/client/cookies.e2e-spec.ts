import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type Client, createClient, SignedOutError } from '../../src/client/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { until } from '../support/until.js';
import { UnreliableProxy } from '../support/unreliable-proxy.js';

/** The cookies of one browser, which all its tabs share. An answer sets them when it arrives, however late. */
class Browser {
  readonly cookies = new Map<string, string>();
  private readonly items = new Map<string, string>();
  readonly store = {
    getItem: (name: string) => this.items.get(name) ?? null,
    setItem: (name: string, value: string) => this.items.set(name, value),
    removeItem: (name: string) => this.items.delete(name),
  };

  readonly fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const headers = new Headers(init.headers);
    headers.set('Sec-Fetch-Site', 'same-origin');
    if (init.credentials === 'include')
      headers.set('Cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await nodeFetch(input, { ...init, headers });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (value === '' || /Max-Age=0/i.test(cookie)) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  };

  delete(end: string): void {
    for (const name of this.cookies.keys()) if (name.endsWith(end)) this.cookies.delete(name);
  }
}

const nodeFetch = globalThis.fetch;

describe('the client in cookie mode', () => {
  let api: TestApp;
  let proxy: UnreliableProxy;
  let browser: Browser;
  let signedOut: string[];
  beforeAll(async () => {
    api = await createTestApp({ env: { TOKEN_LOCATIONS: 'cookie' } });
    proxy = await UnreliableProxy.to(await api.app.getUrl());
  });
  beforeEach(() => {
    signedOut = [];
    browser = new Browser();
    globalThis.fetch = browser.fetch;
  });
  afterEach(() => {
    globalThis.fetch = nodeFetch;
    proxy.fateOf = () => 'pass';
    proxy.seen.length = 0;
  });
  afterAll(async () => {
    await proxy.close();
    await api.close();
  });

  const tab = () =>
    createClient({
      baseUrl: proxy.url,
      mode: 'cookie',
      store: browser.store,
      onSignedOut: (reason) => signedOut.push(reason),
    });
  const loggedIn = async (): Promise<Client> => {
    const { username, password } = await api.user();
    const client = tab();
    await client.login({ username, password });
    proxy.seen.length = 0;
    return client;
  };
  const refreshByForce = async (client: Client) => {
    browser.delete('access_token');
    return client.profile();
  };

  it('stores no token', async () => {
    const client = await loggedIn();
    await refreshByForce(client);
    expect(browser.store.getItem('freshgate.session')).not.toContain('eyJ');
    expect(browser.store.getItem('freshgate.device')).toBeNull();
  });

  it('refreshes when the access cookie has gone', async () => {
    const client = await loggedIn();
    expect(await refreshByForce(client)).toMatchObject({ fresh: false });
    expect(proxy.seen.map(({ path }) => path)).toEqual(['/profile', '/auth/refresh', '/profile']);
    for (let i = 0; i < 5; i++) await refreshByForce(client);
    expect(signedOut).toEqual([]);
  });

  it('goes on where a page was closed between the cookie and the store', async () => {
    const client = await loggedIn();
    await refreshByForce(client);
    const before = browser.store.getItem('freshgate.session') ?? '';
    await refreshByForce(client);
    browser.store.setItem('freshgate.session', before);
    await refreshByForce(tab());
    await refreshByForce(tab());
    expect(signedOut).toEqual([]);
  });

  it('does not refresh again if the cookies of another tab have arrived, but not its stored session', async () => {
    const client = await loggedIn();
    const before = JSON.parse(browser.store.getItem('freshgate.session') ?? '') as object;
    await refreshByForce(client);
    browser.store.setItem('freshgate.session', JSON.stringify({ ...before, expiresAt: 0 }));
    proxy.seen.length = 0;
    // A request that is on its way with the token before would be two behind, and end the session.
    expect(await tab().profile()).toMatchObject({ fresh: false });
    expect(proxy.seen.map(({ path }) => path)).toEqual(['/auth/refresh', '/profile']);
    expect(signedOut).toEqual([]);
  });

  it('goes on where a late answer has put the previous refresh token back', async () => {
    const client = await loggedIn();
    const late = tab();
    let delayed = false;
    proxy.fateOf = ({ path }) => {
      if (path !== '/auth/refresh' || delayed) return 'pass';
      delayed = true;
      return 'delay';
    };
    browser.delete('access_token');
    const slow = late.profile();
    await until(5_000, async () => proxy.count('/auth/refresh') > 0);
    await refreshByForce(client);
    await refreshByForce(client);
    await slow;
    for (let i = 0; i < 3; i++) await refreshByForce(client);
    expect(signedOut).toEqual([]);
  });

  it('survives tabs that refresh at the same time', async () => {
    const client = await loggedIn();
    const tabs = [client, tab(), tab(), tab()];
    for (let i = 0; i < 10; i++) {
      browser.delete('access_token');
      await Promise.all(tabs.map(async (each) => each.profile()));
    }
    expect(signedOut).toEqual([]);
  });

  it('finds out once that there is no session, and sends no more', async () => {
    const client = tab();
    await expect(client.profile()).rejects.toMatchObject({ errorCode: 'token_missing' });
    // Nobody was logged in, so nobody is logged out.
    expect(signedOut).toEqual([]);
    proxy.seen.length = 0;
    await expect(client.profile()).rejects.toBeInstanceOf(SignedOutError);
    expect(proxy.seen).toEqual([]);
    const { username, password } = await api.user();
    await client.login({ username, password });
    expect(await client.profile()).toMatchObject({ username });
  });

  it('finds a session whose store was cleared', async () => {
    await loggedIn();
    browser.store.removeItem('freshgate.session');
    expect(await refreshByForce(tab())).toMatchObject({ fresh: false });
  });

  it('logs out: the cookies are gone, and other tabs learn it at their next call', async () => {
    const client = await loggedIn();
    const other = tab();
    await other.profile();
    await client.logout();
    expect([...browser.cookies.keys()].filter((name) => name.endsWith('token'))).toEqual([]);
    await expect(other.profile()).rejects.toBeInstanceOf(SignedOutError);
    expect(signedOut).toEqual(['signed_out']);
  });
});
