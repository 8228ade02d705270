import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  ApiError,
  type Client,
  type ClientOptions,
  createClient,
  SignedOutError,
  type StepUp,
  type Store,
} from '../../src/client/index.js';
import { Database } from '../../src/database/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { until } from '../support/until.js';
import { type Exchange, type Fate, UnreliableProxy } from '../support/unreliable-proxy.js';

/** Forced refreshes of five tabs. */
const ROUNDS = 10;

/** What all tabs of one browser share. */
class TestStore implements Store {
  readonly items = new Map<string, string>();
  getItem(name: string) {
    return this.items.get(name) ?? null;
  }
  setItem(name: string, value: string) {
    this.items.set(name, value);
  }
  removeItem(name: string) {
    this.items.delete(name);
  }
  get session() {
    return JSON.parse(this.items.get('freshgate.session') ?? 'null') as {
      refreshToken: string;
      accessToken: string;
      expiresAt: number;
    } | null;
  }
  /** The access token ends by this device's clock. */
  expire() {
    const { session } = this;
    if (session) this.setItem('freshgate.session', JSON.stringify({ ...session, expiresAt: 0 }));
  }
}

describe('the client', () => {
  let api: TestApp;
  let url: string;
  let proxy: UnreliableProxy;
  let signedOut: string[];
  let asked: StepUp[];
  beforeAll(async () => {
    api = await createTestApp();
    url = await api.app.getUrl();
    proxy = await UnreliableProxy.to(url);
  });
  afterEach(() => {
    proxy.fateOf = () => 'pass';
    proxy.seen.length = 0;
  });
  afterAll(async () => {
    await proxy.close();
    await api.close();
  });

  const tab = (store: Store, options: Partial<ClientOptions> = {}) =>
    createClient({
      baseUrl: proxy.url,
      mode: 'header',
      store,
      onSignedOut: (reason) => signedOut.push(reason),
      ...options,
    });
  const loggedIn = async (options: Partial<ClientOptions> = {}) => {
    signedOut = [];
    asked = [];
    const store = new TestStore();
    const { username, password } = await api.user();
    const client = tab(store, options);
    await client.login({ username, password });
    proxy.seen.length = 0;
    return { store, client, username, password };
  };
  const generation = async (client: Client) => {
    const sessions = await client.sessions();
    const { id } = sessions.find(({ current }) => current) ?? { id: '' };
    const query = api.get(Database).selectFrom('sessions').select('generation').where('id', '=', id);
    return (await query.executeTakeFirstOrThrow()).generation;
  };

  /** A refresh by a thief, who has the token and not the key. */
  const refreshed = async (token: string) => {
    const headers = { Authorization: `Bearer ${token}` };
    const response = await fetch(`${url}/auth/refresh`, { method: 'POST', headers });
    return ((await response.json()) as { refresh_token: string }).refresh_token;
  };

  it('registers, logs in, and calls routes as the user', async () => {
    const store = new TestStore();
    const client = tab(store);
    await client.register({ username: 'client-user', password: 'space-corgi-9' });
    await client.login({ username: 'client-user', password: 'space-corgi-9' });
    expect(await client.profile()).toMatchObject({ username: 'client-user', fresh: true });
    expect((await client.fetch('/auth/sessions')).status).toBe(200);
    await client.logout();
    expect(store.session).toBeNull();
  });

  it('needs nothing that browsers have on HTTPS alone: a phone opens http://192.168.1.5:3000', async () => {
    const { username, password } = await api.user();
    const uuids = jest.spyOn(crypto, 'randomUUID');
    await tab(new TestStore()).login({ username, password });
    const calls = uuids.mock.calls.length;
    uuids.mockRestore();
    expect(calls).toBe(0);
  });

  it('throws the refusal with its code', async () => {
    const client = tab(new TestStore());
    const refusal = client.login({ username: 'unknown-user', password: 'wrong-password' });
    await expect(refusal).rejects.toMatchObject({ status: 401, errorCode: 'invalid_credentials' });
    await expect(refusal).rejects.toBeInstanceOf(ApiError);
  });

  it('refreshes before a request if the access token has expired, and after one if the server says so', async () => {
    const { store, client } = await loggedIn();
    store.expire();
    expect(await client.profile()).toMatchObject({ fresh: false });
    expect(proxy.seen.map(({ path }) => path)).toEqual(['/auth/refresh', '/profile']);
    proxy.seen.length = 0;
    // The clock of the device is behind the server's.
    api.clock.advance('16m');
    await client.profile();
    expect(proxy.seen.map(({ path }) => path)).toEqual(['/profile', '/auth/refresh', '/profile']);
  });

  it('refreshes once for 50 parallel requests', async () => {
    const { store, client } = await loggedIn();
    store.expire();
    await Promise.all(Array.from({ length: 50 }, async () => client.profile()));
    expect(proxy.count('/auth/refresh')).toBe(1);
  });

  it.each<Fate>(['lose-request', 'lose-answer', 'double'])('survives %s at a refresh', async (fate) => {
    const { store, client } = await loggedIn();
    let left = 2;
    proxy.fateOf = ({ path }) => (path === '/auth/refresh' && left-- > 0 ? fate : 'pass');
    store.expire();
    await client.profile();
    proxy.fateOf = () => 'pass';
    expect(await generation(client)).toBe(1);
    expect(signedOut).toEqual([]);
  });

  it('keeps the token and its key when nothing is answered, and repeats both later', async () => {
    const { store, client } = await loggedIn();
    proxy.fateOf = () => 'lose-answer';
    store.expire();
    await expect(client.profile()).rejects.toThrow('fetch failed');
    proxy.fateOf = () => 'pass';
    // Another page, hours later.
    api.clock.advance('3h');
    const later = tab(store);
    await later.profile();
    expect(await generation(later)).toBe(1);
  });

  it('never ends the session while five tabs refresh over a network that loses, delays and doubles', async () => {
    const { store, client } = await loggedIn();
    const tabs = [client, ...Array.from({ length: 4 }, () => tab(store))];
    const fates: Fate[] = ['pass', 'lose-answer', 'delay', 'pass', 'double', 'pass', 'lose-request', 'pass'];
    let turn = 0;
    proxy.fateOf = ({ path }: Exchange) =>
      path === '/auth/refresh' ? (fates[turn++ % fates.length] ?? 'pass') : 'pass';
    for (let i = 0; i < ROUNDS; i++) {
      store.expire();
      api.clock.advance('1m');
      await Promise.all(tabs.map(async (each) => each.profile().catch(() => undefined)));
    }
    proxy.fateOf = () => 'pass';
    expect(signedOut).toEqual([]);
    await client.profile();
    // Each forced refresh made one generation at most, whichever tabs took part.
    expect(await generation(client)).toBeLessThanOrEqual(ROUNDS + 1);
  });

  it.each([
    ['token_revoked', async (other: Client) => other.logoutAll()],
    ['refresh_token_reused', async (_: Client, stolen: string) => refreshed(await refreshed(stolen))],
  ])('forgets the tokens for %s, says so once, and sends no more', async (reason, act) => {
    const { store, client, username, password } = await loggedIn();
    const other = tab(new TestStore());
    await other.login({ username, password });
    await act(other, store.session?.refreshToken ?? '');
    signedOut = [];
    proxy.seen.length = 0;
    store.expire();
    const results = await Promise.allSettled(Array.from({ length: 10_000 }, async () => client.profile()));
    expect(results.every(({ status }) => status === 'rejected')).toBe(true);
    expect(proxy.seen.length).toBeLessThanOrEqual(2);
    expect(signedOut).toEqual([reason]);
    expect(store.session).toBeNull();
    await expect(client.profile()).rejects.toBeInstanceOf(SignedOutError);
  });

  it('keeps the tokens for every other refusal', async () => {
    const { store, client } = await loggedIn();
    api.clock.advance('15d');
    await expect(client.profile()).rejects.toMatchObject({ errorCode: 'token_expired' });
    await expect(client.profile()).rejects.toBeInstanceOf(SignedOutError);
    expect(signedOut).toEqual(['token_expired']);
    expect(store.session).not.toBeNull();
  });

  it('stores nothing of a refresh that is answered after the logout', async () => {
    const { store, client } = await loggedIn();
    store.expire();
    proxy.fateOf = ({ path }) => (path === '/auth/refresh' ? 'delay' : 'pass');
    const late = client.profile();
    await until(5_000, async () => proxy.count('/auth/refresh') > 0);
    await client.logout();
    await expect(late).rejects.toBeInstanceOf(SignedOutError);
    expect(store.session).toBeNull();
    expect(signedOut).toEqual([]);
  });

  it('forgets the tokens at once even if the server cannot be told of the logout', async () => {
    const { store, client } = await loggedIn();
    proxy.fateOf = () => 'lose-request';
    await expect(client.logout()).rejects.toThrow('fetch failed');
    expect(store.session).toBeNull();
  });

  it('asks the person once for 20 parallel refusals, and repeats each request once', async () => {
    const { store, client, password } = await loggedIn({
      onStepUp: async (challenge) => {
        asked.push(challenge);
        await client.reauthenticate({ password });
      },
    });
    store.expire();
    await client.profile();
    proxy.seen.length = 0;
    const answers = await Promise.all(
      Array.from({ length: 20 }, async () =>
        client.fetch('/auth/sessions/7d0e9b3a-0f5e-4e0e-8d55-3a1c0f5b7c11', { method: 'DELETE' }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(404));
    expect(asked).toEqual([{ maxAge: 900, factors: ['password'] }]);
    expect(proxy.seen.filter(({ method }) => method === 'DELETE')).toHaveLength(40);
    // example:begin
    const receiver = await api.user();
    const body = JSON.stringify({ to: receiver.username, amount: 1 });
    const headers = { 'Content-Type': 'application/json' };
    const transfer = await client.fetch('/transfers', { method: 'POST', headers, body });
    expect(transfer.status).toBe(201);
    // example:end
  });

  it('answers with the refusal when the person declines', async () => {
    const { store, client } = await loggedIn({ onStepUp: async () => false });
    store.expire();
    await client.profile();
    await expect(client.deleteAccount()).rejects.toMatchObject({ errorCode: 'fresh_token_required' });
  });

  it('replaces the session when the password is changed', async () => {
    const { store, client, password } = await loggedIn();
    const other = tab(store);
    await client.changePassword({ current_password: password, new_password: 'another-orbit-7' });
    expect(await other.profile()).toMatchObject({ fresh: true });
    expect(await client.sessions()).toHaveLength(1);
  });

  it('refuses bodies that it could not send again, and foreign addresses, before it sends', async () => {
    const { client } = await loggedIn();
    const stream = new ReadableStream();
    await expect(client.fetch('/auth/logout-all', { method: 'POST', body: stream })).rejects.toThrow(
      'a stream',
    );
    await expect(client.fetch('https://example.com/profile')).rejects.toThrow('is not below');
    await expect(client.fetch('//example.com/profile')).rejects.toThrow('is not below');
    expect(proxy.seen).toEqual([]);
  });

  it('works with a store that answers later, like that of React Native', async () => {
    const items = new Map<string, string>();
    const store: Store = {
      getItem: async (name) => items.get(name) ?? null,
      setItem: async (name, value) => void items.set(name, value),
      removeItem: async (name) => void items.delete(name),
    };
    const { username, password } = await api.user();
    const client = tab(store);
    await client.login({ username, password });
    expect(await client.profile()).toMatchObject({ username });
  });

  it('keeps the mark of a known device over a logout, and sends it with the next login', async () => {
    const { store, client, username, password } = await loggedIn();
    await client.logout();
    const device = store.getItem('freshgate.device');
    expect(device).not.toBeNull();
    await client.login({ username, password });
    expect(store.getItem('freshgate.device')).not.toBeNull();
  });
});
