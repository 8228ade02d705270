import { readFileSync } from 'node:fs';
import { type Browser, type BrowserContext, type Page } from 'puppeteer-core';
import { type TestApp, createTestApp } from './create-test-app.js';
import { startChromium } from './chromium.js';
import { freePort } from './free-port.mjs';
import { builtFile } from './server-process.js';
import { UnreliableProxy } from './unreliable-proxy.js';

/** The application with its pages, behind a proxy of the test, and a browser in front of it. */
export class BrowserApp {
  private constructor(
    readonly api: TestApp,
    readonly proxy: UnreliableProxy,
    private readonly browser: Browser,
    readonly url: string,
  ) {}

  static async start(env: Record<string, string> = {}, loginName?: 'email'): Promise<BrowserApp> {
    // The relying party of passkeys: an address would be none.
    const port = await freePort();
    const url = `http://localhost:${port}`;
    const [api, browser] = await Promise.all([
      createTestApp({
        adapter: 'fastify',
        env: { PAGES: 'on', APP_URL: url, ...env },
        ...(loginName && { loginName }),
      }),
      startChromium(),
    ]);
    const proxy = await UnreliableProxy.to(await api.app.getUrl(), port);
    // The sources of these tests are TypeScript, which browsers do not load.
    proxy.scriptOf = (path) =>
      path.startsWith('/assets/client/') ? readFileSync(builtFile(path.slice(8)), 'utf8') : undefined;
    return new BrowserApp(api, proxy, browser, url);
  }

  /** A browser of its own: nothing is shared with the others. */
  async person(): Promise<BrowserContext> {
    return this.browser.createBrowserContext();
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.proxy.close();
    await this.api.close();
  }
}

export type Mode = 'header' | 'cookie';

/** Makes the access token end by the clock of the page. Text, because the tests are compiled without the browser's types. */
export const EXPIRE = `{
  const session = JSON.parse(localStorage.getItem('freshgate.session'));
  localStorage.setItem('freshgate.session', JSON.stringify({ ...session, expiresAt: 0 }));
}`;

/** A tab with a client as `api`, and nothing else. */
export async function openTab(person: BrowserContext, url: string, mode: Mode): Promise<Page> {
  const page = await person.newPage();
  await page.setBypassCSP(true);
  await page.goto(`${url}/health/live`);
  await page.evaluate(`(async () => {
    const { createClient } = await import('/assets/client/index.js');
    window.ended = [];
    window.asked = 0;
    window.api = createClient({
      baseUrl: location.origin,
      mode: '${mode}',
      onSignedOut: (reason) => ended.push(reason),
      onStepUp: async () => {
        asked++;
        await api.reauthenticate({ password: 'space-corgi' });
      },
    });
  })()`);
  return page;
}
