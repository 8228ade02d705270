import { describe, expect, it } from '@jest/globals';
import { makeFolder, start } from '../../support/server-process.js';

describe('TOKEN_LOCATIONS', () => {
  const MEMORY = { DATABASE_URL: ':memory:' };

  async function loginAt(env: Record<string, string>, folder: string) {
    const server = await start({ env: { ...MEMORY, ...env }, folder });
    const json = { 'Content-Type': 'application/json' };
    const body = JSON.stringify({ username: 'cosmo', password: 'space-corgi' });
    await fetch(`${server.url}/auth/register`, { method: 'POST', headers: json, body });
    const login = await fetch(`${server.url}/auth/login`, { method: 'POST', headers: json, body });
    return { server, login, cookies: login.headers.getSetCookie() };
  }

  it('cookie: sets cookies for plain HTTP outside production, with a warning; secure ones with a prefix in production', async () => {
    const folder = makeFolder();
    const open = await loginAt({ TOKEN_LOCATIONS: 'cookie' }, folder);
    expect(open.cookies.map((cookie) => cookie.replace(/=.*?;/, ';'))).toEqual([
      'access_token; Path=/; Max-Age=900; HttpOnly; SameSite=Strict',
      'refresh_token; Path=/; Max-Age=1209600; HttpOnly; SameSite=Strict',
      'csrf_token; Path=/; Max-Age=1209600; SameSite=Strict',
      'device; Path=/; Max-Age=34560000; HttpOnly; SameSite=Strict',
    ]);
    expect(await open.login.json()).not.toHaveProperty('access_token');
    const jar = open.cookies.map((each) => each.split(';')[0]).join('; ');
    const send = (method: string, path: string, headers: Record<string, string>) =>
      fetch(open.server.url + path, { method, headers });
    expect((await send('GET', '/profile', { Cookie: jar })).status).toBe(200);
    const refused = await send('POST', '/auth/refresh', { Cookie: jar });
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('csrf_token')]);
    expect(open.server.output).toMatch(/WARN.*cookies\.secure is off/);
    // The name under which a browser keeps them.
    const { port } = new URL(open.server.url);
    expect(open.server.output).toContain(`open pages at http://localhost and call http://localhost:${port}`);
    await open.server.stop();

    const closed = await loginAt(
      {
        TOKEN_LOCATIONS: 'cookie',
        NODE_ENV: 'production',
        APP_URL: 'https://app.example',
        AUTH_KEYS_FILE: './data/keys.json',
      },
      folder,
    );
    expect(closed.cookies.map((cookie) => cookie.replace(/=.*?;/, ';'))).toEqual([
      '__Host-access_token; Path=/; Max-Age=900; HttpOnly; Secure; SameSite=Strict',
      '__Host-refresh_token; Path=/; Max-Age=1209600; HttpOnly; Secure; SameSite=Strict',
      '__Host-csrf_token; Path=/; Max-Age=1209600; Secure; SameSite=Strict',
      '__Host-device; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Strict',
    ]);
    expect(closed.server.output).not.toContain('cookies.secure');
    await closed.server.stop();
  });

  it('query, header and body: writes no token to the log', async () => {
    const { server, login } = await loginAt({ TOKEN_LOCATIONS: 'query,header,body' }, makeFolder());
    const { access_token: token, refresh_token: refresh } = (await login.json()) as Record<string, string>;
    for (const path of [
      `/profile?access_token=${token}`,
      `/profile?access_token=${token}x`,
      `/profile?access_token=${token}&access_token=${token}`,
      `/nowhere?access_token=${token}`,
      `/profile?x=${token}`,
    ]) {
      await fetch(server.url + path);
    }
    const twice = await fetch(
      `${server.url}/auth/refresh?refresh_token=${refresh}&refresh_token=${refresh}`,
      {
        method: 'POST',
      },
    );
    expect(twice.status).toBe(401);
    await server.stop();
    expect(server.output).toContain('/profile');
    for (const secret of [token, refresh])
      expect(server.output).not.toContain(secret!.split('.')[2]!.slice(0, 20));
    expect(server.output).not.toContain('access_token=');
  });
});
