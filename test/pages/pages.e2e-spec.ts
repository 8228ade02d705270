import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AccountLinks } from '../../src/accounts/index.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/create-test-app.js';

const FILES = join(import.meta.dirname, '../../src/pages/public');
const PAGES = ['/', '/register/confirm', '/email/verify', '/email/undo', '/password/reset'];

const start = (options: TestAppOptions = {}) =>
  createTestApp({ ...options, adapter: 'fastify', env: { PAGES: 'on', ...options.env } });

describe('the pages', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await start();
  });
  afterAll(() => api.close());

  it.each(PAGES)('are served at %s, under a policy without inline scripts and styles', async (path) => {
    const { headers, text } = await api.request('GET', path).expect(200);
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': expect.stringMatching(/^default-src 'self';/),
      'cross-origin-opener-policy': 'same-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
    });
    expect(headers['content-security-policy']).not.toContain('unsafe');
    expect(text).toContain('<main id="main"');
    await api.request('HEAD', path).expect(200);
    await api.request('POST', path).expect(404);
  });

  it('hold no inline script, style or handler, which the policy would block', () => {
    const html = readFileSync(join(FILES, 'index.html'), 'utf8');
    expect(html.match(/<style|<script(?![^>]* src=)|\s(?:style|on\w+)=|javascript:/gi)).toBeNull();
    for (const name of readdirSync(FILES).filter((each) => each.endsWith('.js')))
      expect(readFileSync(join(FILES, name), 'utf8')).not.toMatch(/innerHTML|outerHTML|\.style\b|eval\(/);
  });

  it('are where the links of mails lead', () => {
    const links = api.get(AccountLinks);
    const paths = (['register', 'verify', 'undo', 'reset'] as const).map((purpose) => {
      return new URL(links.to(purpose, 'token')).pathname;
    });
    expect(paths.toSorted()).toEqual(PAGES.slice(1).toSorted());
  });

  it('ask for a file again, and are answered 304 until it changes', async () => {
    for (const path of ['/', '/assets/app.js', '/assets/style.css', '/assets/icon.svg', '/assets/uqr.js']) {
      const { headers } = await api.request('GET', path).expect(200);
      expect(headers['cache-control']).toBe('public, max-age=0');
      await api.request('GET', path).set('If-None-Match', String(headers['etag'])).expect(304);
    }
  });

  it.each([
    '/assets',
    '/assets/',
    '/assets/nothing.js',
    '/assets/index.html',
    '/assets/tsconfig.json',
    '/assets/settings.d.ts',
    '/assets/app.js.br',
    '/assets/client',
    '/assets/client/index.ts',
    '/assets/..%2fpages.module.js',
    '/assets/%2e%2e%2f%2e%2e%2fmain.js',
    '/assets/client/..%2f..%2fmain.js',
    '/assets/.js',
    '/assets/client/.js',
    '/index.html',
    '/nothing',
  ])('answer %s as the API answers an unknown path', async (path) => {
    const { body, headers } = await api.request('GET', path).expect(404);
    expect(body).toMatchObject({ errorCode: 'not_found' });
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('leave the policy of the API alone', async () => {
    const { headers } = await api.request('GET', '/health/live').expect(200);
    expect(headers['content-security-policy']).toContain("default-src 'none'");
  });

  it('every file of the document exists', async () => {
    const { text } = await api.request('GET', '/');
    const files = [...text.matchAll(/(?:src|href)="\/assets\/([^"]+)"/g)].map(([, file = '']) => file);
    expect(files.length).toBeGreaterThan(4);
    for (const file of files.filter((each) => !/^(client|settings)/.test(each)))
      expect([file, existsSync(join(FILES, file))]).toEqual([file, true]);
  });
});

describe('the settings of the pages', () => {
  const settingsOf = async (options: TestAppOptions): Promise<unknown> => {
    const api = await start(options);
    const { text } = await api.request('GET', '/assets/settings.js').expect(200);
    await api.close();
    return JSON.parse(text.replace(/^export default /, '').replace(/;\n$/, ''));
  };

  it('are those of the application; tokens are in cookies where it allows that', async () => {
    const settings = { mode: 'header', loginName: 'username', registration: 'open', mail: true };
    expect(await settingsOf({})).toEqual(settings);
    const env = { TOKEN_LOCATIONS: 'header,cookie', REGISTRATION: 'closed' };
    expect(await settingsOf({ env, loginName: 'email' })).toEqual({
      mode: 'cookie',
      loginName: 'email',
      registration: 'closed',
      mail: true,
    });
  });
});

describe('without pages', () => {
  it.each([
    ['PAGES=off', { PAGES: 'off' }],
    ['tokens that a page cannot send', { TOKEN_LOCATIONS: 'query,body' }],
  ])('nothing is served: %s', async (_, env) => {
    const api = await start({ env });
    for (const path of [...PAGES, '/assets/app.js', '/assets/settings.js', '/assets/client/index.js'])
      await api.request('GET', path).expect(404);
    await api.close();
  });

  it('an application on Express starts; with them it is refused', async () => {
    await (await createTestApp({ adapter: 'express' })).close();
    await expect(createTestApp({ adapter: 'express', env: { PAGES: 'on' } })).rejects.toThrow('PAGES=off');
  });
});
