import { afterAll, afterEach, beforeAll, expect, it, jest } from '@jest/globals';
import { type BrowserContext, type Page } from 'puppeteer-core';
import { Database } from '../../../src/database/index.js';
import { BrowserApp, EXPIRE, type Mode, openTab } from '../../support/browser-app.js';
import { describeChromium } from '../../support/chromium.js';
import { type TestUser } from '../../support/create-test-app.js';
import { type Fate } from '../../support/unreliable-proxy.js';
import { until } from '../../support/until.js';

jest.setTimeout(process.env['LONG'] ? 600_000 : 90_000);

/** Forced refreshes of each of five tabs. */
const ROUNDS = process.env['LONG'] ? 1_000 : 40;
const FATES: Fate[] = ['lose-answer', 'delay', 'double', 'lose-request'];
const PROFILE = `api.profile().then(({ username }) => username, (error) => error.errorCode ?? error.name)`;
const STORED = `localStorage.getItem('freshgate.session')`;

describeChromium.each<Mode>(['header', 'cookie'])('the client in Chromium, with tokens in %ss', (mode) => {
  let app: BrowserApp;
  let user: TestUser;
  let person: BrowserContext;
  beforeAll(async () => {
    app = await BrowserApp.start({ TOKEN_LOCATIONS: 'header,cookie' });
  });
  afterEach(async () => {
    app.proxy.fateOf = () => 'pass';
    await person.close();
  });
  afterAll(() => app.close());

  const tab = () => openTab(person, app.proxy.url, mode);
  const loggedIn = async () => {
    user = await app.api.user();
    person = await app.person();
    const page = await tab();
    await page.evaluate(`api.login({ username: '${user.username}', password: 'space-corgi' })`);
    app.proxy.seen.length = 0;
    return page;
  };
  const onRefresh = (fate: Fate, times: number) => {
    let left = times;
    app.proxy.fateOf = ({ path }) => (path.startsWith('/auth/re') && left-- > 0 ? fate : 'pass');
  };
  const sessions = async () => {
    const table = app.api.get(Database).selectFrom('sessions');
    return table.select(['generation', 'revoked_at']).where('user_id', '=', user.id).execute();
  };
  const refreshed = async (page: Page) => {
    await page.evaluate(EXPIRE);
    return page.evaluate(PROFILE);
  };

  it('five tabs refresh over a network that loses, delays and doubles: the session goes on, and each refresh is one', async () => {
    const first = await loggedIn();
    const tabs = [first, ...(await Promise.all([1, 2, 3, 4].map(tab)))];
    let turn = 0;
    app.proxy.fateOf = ({ path }) =>
      path === '/auth/refresh' && turn++ % 20 === 0 ? (FATES[((turn / 20) % 4) | 0] ?? 'pass') : 'pass';
    for (let round = 0; round < ROUNDS; round++) {
      await first.evaluate(EXPIRE);
      app.api.clock.advance('1m');
      await Promise.all(tabs.map((page) => page.evaluate(PROFILE)));
    }
    app.proxy.fateOf = () => 'pass';
    for (const page of tabs) {
      expect(await page.evaluate(PROFILE)).toBe(user.username);
      expect(await page.evaluate('ended')).toEqual([]);
    }
    const [session, ...others] = await sessions();
    expect(others).toEqual([]);
    expect(session?.generation).toBeGreaterThanOrEqual(ROUNDS);
    expect(session?.generation).toBeLessThanOrEqual(ROUNDS * 1.05);
  });

  it.each<[string, Fate, string]>([
    ['before the server has heard of the refresh', 'lose-request', ''],
    ['before the answer has arrived', 'delay', ''],
    [
      'before the answer is stored',
      'pass',
      `Storage.prototype.setItem = () => { throw new Error('closed'); };`,
    ],
  ])('the tab that refreshes is closed %s: the next one goes on', async (_, fate, script) => {
    const page = await loggedIn();
    const other = await tab();
    await page.evaluate(EXPIRE);
    await page.evaluate(script);
    onRefresh(fate, 1);
    await page.evaluate(`void ${PROFILE}`);
    await until(5_000, async () => app.proxy.count('/auth/refresh') > 0);
    if (fate === 'pass') await page.evaluate(PROFILE);
    await page.close();
    expect(await other.evaluate(PROFILE)).toBe(user.username);
    expect(await refreshed(other)).toBe(user.username);
    expect(await other.evaluate('ended')).toEqual([]);
    // A cookie may have arrived without being stored as used: then there is one refresh more.
    expect((await sessions())[0]?.generation).toBeLessThanOrEqual(3);
  });

  it('a logout during a refresh leaves nothing behind', async () => {
    const page = await loggedIn();
    await page.evaluate(EXPIRE);
    onRefresh('delay', 1);
    await page.evaluate(`window.late = ${PROFILE}; undefined`);
    await until(5_000, async () => app.proxy.count('/auth/refresh') > 0);
    await page.evaluate('api.logout()');
    expect(await page.evaluate('late')).toBe('SignedOutError');
    expect(String(await page.evaluate(STORED))).not.toContain('eyJ');
    expect((await sessions())[0]?.revoked_at).not.toBeNull();
    expect(await page.evaluate(PROFILE)).toBe('SignedOutError');
    expect(await (await tab()).evaluate(PROFILE)).toBe('SignedOutError');
  });

  it.each([3_600_000, -3_600_000])('the clock of the page jumps by %d ms', async (jump) => {
    const page = await loggedIn();
    await page.evaluate(`{ const now = Date.now; Date.now = () => now() + ${jump}; }`);
    for (let i = 0; i < 10; i++) expect(await page.evaluate(PROFILE)).toBe(user.username);
    expect(app.proxy.count('/auth/refresh')).toBe(jump > 0 ? 1 : 0);
    // The server's goes on.
    app.api.clock.advance('16m');
    for (let i = 0; i < 10; i++) expect(await page.evaluate(PROFILE)).toBe(user.username);
    expect(app.proxy.count('/auth/refresh')).toBeLessThanOrEqual(2);
    expect(await page.evaluate('ended')).toEqual([]);
  });

  it('offline for an hour: every call fails, and the session goes on afterwards', async () => {
    const page = await loggedIn();
    await page.setOfflineMode(true);
    expect(await page.evaluate(PROFILE)).toBe('TypeError');
    app.api.clock.advance('1h');
    expect(await refreshed(page)).toBe('TypeError');
    await page.setOfflineMode(false);
    expect(await page.evaluate(PROFILE)).toBe(user.username);
    expect(await page.evaluate('ended')).toEqual([]);
  });

  it('10,000 calls with a dead token make at most 2 requests', async () => {
    const page = await loggedIn();
    const agent = await app.api.as(user).fresh();
    await agent.post('/auth/logout-all').expect(204);
    await page.evaluate(EXPIRE);
    const calls = `Promise.allSettled(Array.from({ length: 10_000 }, () => api.profile()))`;
    const rejected = `${calls}.then((all) => all.filter(({ status }) => status === 'rejected').length)`;
    expect(await page.evaluate(rejected)).toBe(10_000);
    expect(app.proxy.seen.length).toBeLessThanOrEqual(2);
    expect(await page.evaluate('ended')).toEqual(['token_revoked']);
  });

  it('20 parallel refusals ask the person once', async () => {
    const page = await loggedIn();
    await refreshed(page);
    const call = `api.fetch('/auth/sessions/7d0e9b3a-0f5e-4e0e-8d55-3a1c0f5b7c11', { method: 'DELETE' })`;
    const all = `Promise.all(Array.from({ length: 20 }, () => ${call}.then(({ status }) => status)))`;
    expect(await page.evaluate(all)).toEqual(Array(20).fill(404));
    expect(await page.evaluate('asked')).toBe(1);
    expect(app.proxy.count('/auth/reauthenticate')).toBe(1);
  });
});
