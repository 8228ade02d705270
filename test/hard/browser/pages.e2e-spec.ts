import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import axe from 'axe-core';
import { type BrowserContext, type Page } from 'puppeteer-core';
import { TestAuthenticator } from '../../../src/testing/index.js';
import { BrowserApp, EXPIRE, type Mode } from '../../support/browser-app.js';
import { describeChromium, VirtualAuthenticator } from '../../support/chromium.js';
import { type TestUser } from '../../support/create-test-app.js';

jest.setTimeout(90_000);

/** A person at a page, who sees texts and uses what has a name. */
class Visitor {
  /** What the console says, but for answers that are refusals. */
  readonly complaints: string[] = [];

  private constructor(
    readonly page: Page,
    private readonly url: string,
    private readonly isChecked: boolean,
  ) {
    page.setDefaultTimeout(10_000);
    page.on('pageerror', (error) => this.complaints.push(String(error)));
    page.on('console', (message) => {
      const isRefusal = message.text().startsWith('Failed to load resource: the server responded');
      if (message.type() === 'error' && !isRefusal) this.complaints.push(message.text());
    });
  }

  /** @param isChecked whether `check` does anything: once is enough for the same markup */
  static async at(person: BrowserContext, url: string, isChecked: boolean): Promise<Visitor> {
    return new Visitor(await person.newPage(), url, isChecked);
  }

  /** @param path of the pages, or the link of a mail */
  async open(path: string): Promise<void> {
    await this.page.goto('about:blank');
    await this.page.goto(this.url + path.replace(/^https?:\/\/[^/]+/, ''));
    await this.page.waitForSelector('main h1');
  }

  async fill(name: string, value: string): Promise<void> {
    const field = await this.page.waitForSelector(`::-p-aria([name="${name}"])`, { visible: true });
    await field?.click({ count: 3 });
    await field?.type(value);
  }

  async press(name: string): Promise<void> {
    await this.page.bringToFront();
    const selector = `::-p-aria([name="${name}"][role="button"])`;
    await (await this.page.waitForSelector(selector, { visible: true }))?.click();
  }

  async follow(name: string): Promise<void> {
    await (await this.page.waitForSelector(`::-p-aria([name="${name}"][role="link"])`))?.click();
  }

  async sees(text: string): Promise<void> {
    await this.page.bringToFront();
    const shown = `document.body.innerText.includes(${JSON.stringify(text)})`;
    await this.page.waitForFunction(shown).catch(async () => {
      const all = String(await this.page.evaluate('document.body.innerText'));
      throw new Error(`"${text}" does not appear; there is:\n${all}`);
    });
  }

  /** The name of the element that has the focus. */
  async focus(): Promise<unknown> {
    return this.page.evaluate('document.activeElement.name ?? document.activeElement.textContent');
  }

  /** The access token ends, so that the next one is not fresh. */
  async growStale(): Promise<void> {
    await this.page.evaluate(EXPIRE);
    await this.page.reload();
    await this.page.waitForSelector('main h1');
  }

  /** What axe finds, light and dark, on a phone and on a screen. */
  async check(): Promise<void> {
    if (!this.isChecked) return;
    for (const [scheme, width] of [
      ['light', 360],
      ['dark', 1100],
    ] as const) {
      await this.page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      await this.page.setViewport({ width, height: 800 });
      await this.page.evaluate(axe.source);
      const found = (await this.page.evaluate(
        'axe.run().then(({ violations, passes }) => ({ violations, passes: passes.length }))',
      )) as { violations: axe.Result[]; passes: number };
      expect(found.passes).toBeGreaterThan(10);
      expect(found.violations.map(({ id, nodes }) => [id, nodes.map(({ html }) => html)])).toEqual([]);
      expect(await this.page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    }
  }
}

describeChromium('The pages in Chromium', () => {
  let app: BrowserApp;
  let checks = true;
  let people: BrowserContext[] = [];
  let visitors: Visitor[] = [];

  const arrive = async (person?: BrowserContext): Promise<Visitor> => {
    const context = person ?? (await app.person());
    if (!person) people.push(context);
    const visitor = await Visitor.at(context, app.url, checks);
    visitors.push(visitor);
    return visitor;
  };
  const login = async (
    visitor: Visitor,
    { username }: Pick<TestUser, 'username'>,
    password = 'space-corgi',
  ) => {
    await visitor.open('/');
    await visitor.fill('Username or e-mail address', username ?? '');
    await visitor.fill('Password', password);
    await visitor.press('Log in');
  };
  const link = (address: string) => app.api.mails.to(address).last().link;
  afterEach(async () => {
    const complaints = visitors.flatMap((visitor) => visitor.complaints);
    await Promise.all(people.map((person) => person.close()));
    [people, visitors] = [[], []];
    expect(complaints).toEqual([]);
  });

  describe.each<Mode>(['header', 'cookie'])('with tokens in %ss', (mode) => {
    beforeAll(async () => {
      checks = mode === 'header';
      app = await BrowserApp.start({ TOKEN_LOCATIONS: mode });
    });
    afterAll(() => app.close());

    it('a person registers by keyboard alone, proves the address, sends money and steps up', async () => {
      const cosmo = await arrive();
      const { page } = cosmo;
      await cosmo.open('/');
      expect(await cosmo.focus()).toBe('username');
      await cosmo.check();
      await cosmo.follow('Register');
      await cosmo.sees('You have an account?');
      await page.keyboard.press('Enter');
      await cosmo.sees('fill out this field');
      await cosmo.check();
      for (const [text, key] of [
        ['cosmo', 'Tab'],
        ['cosmo@example.com', 'Tab'],
        ['password', 'Enter'],
      ] as const) {
        await page.keyboard.type(text);
        await page.keyboard.press(key);
      }
      await cosmo.sees('common');
      expect(await cosmo.focus()).toBe('password');
      await page.keyboard.down('Control');
      await page.keyboard.press('a');
      await page.keyboard.up('Control');
      await page.keyboard.type('lunar-dachshund');
      await page.keyboard.press('Enter');
      await cosmo.sees('Registered');
      expect(await cosmo.focus()).toBe('Account');
      await cosmo.check();

      const address = await link('cosmo@example.com');
      // A mail scanner opens it, which changes nothing.
      await fetch(app.proxy.url + new URL(address).pathname + new URL(address).search);
      await cosmo.open(address);
      await cosmo.check();
      await cosmo.press('Prove the address');
      await cosmo.sees('Your address is proved.');
      await cosmo.follow('Go to your account');
      await cosmo.sees('cosmo@example.com');

      // example:begin
      await app.api.user('laika');
      await cosmo.follow('Transfers');
      await cosmo.fill('To', 'laika');
      await cosmo.fill('Amount', '12.50');
      await cosmo.press('Send');
      await cosmo.sees('Sent to laika.');
      await cosmo.sees('987.50');
      await cosmo.growStale();
      await cosmo.fill('To', 'laika');
      await cosmo.fill('Amount', '10');
      await cosmo.press('Send');
      await cosmo.sees('Confirm that it is you');
      expect(await cosmo.focus()).toBe('password');
      await cosmo.check();
      await page.keyboard.press('Escape');
      await cosmo.sees('Cancelled. Nothing was changed.');
      await cosmo.press('Send');
      await page.keyboard.type('wrong-password');
      await page.keyboard.press('Enter');
      await cosmo.sees('Bad username or password');
      await cosmo.fill('Password', 'lunar-dachshund');
      await cosmo.press('Confirm');
      await cosmo.sees('977.50');
      await cosmo.check();
      // example:end
    });

    it('a person uses an authenticator and recovery codes, and changes name and password', async () => {
      const user = await app.api.user();
      const one = await arrive();
      await login(one, user);
      await one.sees('Registered');
      await one.growStale();
      await one.follow('Security');
      await one.fill('Name of the device', 'My phone');
      await one.press('Add an authenticator');
      await one.sees('Confirm that it is you');
      await one.fill('Password', 'space-corgi');
      await one.press('Confirm');
      await one.sees('Scan this code');
      await one.check();
      const uri = String(await one.page.$eval('[data-uri]', (a) => a.getAttribute('href')));
      const phone = new TestAuthenticator(uri, app.api.clock);
      await one.fill('Code that it shows', phone.code());
      await one.press('Confirm');
      await one.sees('Keep these codes');
      await one.check();
      const codes = await one.page.$$eval('.code-list li', (items) => items.map((item) => item.textContent));
      expect(codes).toHaveLength(10);

      app.api.clock.advance('1m');
      await one.press('Log out');
      await one.sees('You have logged out.');
      await login(one, user);
      await one.sees('asks for a second factor');
      expect(await one.focus()).toBe('otp');
      await one.check();
      await one.fill('Code of your authenticator', '000000');
      await one.press('Log in');
      await one.sees('Wrong code');
      await one.fill('Code of your authenticator', phone.code());
      await one.press('Log in');
      await one.sees('Registered');

      await one.growStale();
      await one.fill('New username', `${user.username?.slice(0, 20)}-two`);
      await one.press('Rename');
      await one.sees('Confirm that it is you');
      await one.fill('Password', 'space-corgi');
      await one.press('Use a recovery code instead');
      expect(await one.focus()).toBe('recovery_code');
      await one.check();
      await one.fill('Recovery code', codes[0] ?? '');
      await one.press('Confirm');
      await one.sees('You are now called');

      await one.fill('Current password', 'space-corgi');
      await one.fill('New password', 'lunar-dachshund');
      await one.press('Change the password');
      await one.sees('Code of your authenticator');
      app.api.clock.advance('1m');
      await one.fill('Code of your authenticator', phone.code());
      await one.press('Change the password');
      await one.sees('Your password is changed.');

      await one.follow('Security');
      await one.sees('9 of them are left');
      await one.press('Make new codes');
      await one.sees('10 of them are left');
      app.api.clock.advance('1m');
      await one.press('Remove: My phone');
      // The token was used up by the codes.
      await one.sees('Confirm that it is you');
      await one.fill('Password', 'lunar-dachshund');
      await one.fill('Code of your authenticator', phone.code());
      await one.press('Confirm');
      await one.sees('My phone is removed.');
    });

    it('sessions end at other devices and tabs, and nothing comes back with the back button', async () => {
      const user = await app.api.user();
      const [one, two] = [await arrive(), await arrive()];
      for (const each of [one, two]) {
        await login(each, user);
        await each.sees('Registered');
      }
      await one.follow('Sessions');
      await one.sees('this device');
      await one.check();
      const [button] = await one.page.$$('[data-sessions] button:not([hidden])');
      await button?.click();
      await one.sees('That session has ended.');
      await two.follow('Security');
      await two.sees('Your session has ended. Log in again.');

      const tab = await arrive(people[0]);
      await tab.open('/#account');
      await tab.sees('Registered');
      await one.press('Log out everywhere');
      await one.sees('Log in');
      await tab.sees('Log in');
      await one.page.goto('about:blank');
      await one.page.goBack();
      await one.page.waitForSelector('main h1');
      await one.sees('No account yet?');
      expect(await one.page.evaluate('document.body.innerText')).not.toContain('Where you are logged in');
    });

    it('a page that the back button brings back looks again whether the session goes on', async () => {
      const user = await app.api.user();
      const one = await arrive();
      await login(one, user);
      await one.sees('Registered');
      await one.page.evaluate('window.isSamePage = true');
      await one.page.goto('about:blank');
      const agent = await app.api.as(user).fresh();
      await agent.post('/auth/logout-all').expect(204);
      await one.page.goBack();
      await one.sees('No account yet?');
      await one.sees('Your session has ended. Log in again.');
      // It came from the back-forward cache, and was not loaded again.
      expect(await one.page.evaluate('isSamePage')).toBe(true);
    });

    it('a person who has forgotten the password sets a new one; a change of address is undone', async () => {
      const user = await app.api.user(undefined, { email: `${mode}@example.com` });
      const one = await arrive();
      await one.open('/#forgot');
      await one.check();
      await one.fill('Username or e-mail address', `${mode}@example.com`);
      await one.press('Send the mail');
      await one.sees('a mail is on its way');
      await one.open(await link(`${mode}@example.com`));
      await one.check();
      await one.fill('New password', 'lunar-dachshund');
      await one.press('Set the password');
      await one.sees('Log in with the new one.');
      await one.follow('Go to the login');
      await login(one, user, 'lunar-dachshund');
      await one.sees('Registered');

      await one.fill('New e-mail address', `${mode}-thief@example.com`);
      await one.press('Change');
      await one.sees('enter its code here');
      const text = await app.api.mails.to(`${mode}-thief@example.com`).last().text;
      await one.fill('Code of the mail', /\b[0-9A-Z]{4}-[0-9A-Z]{4}\b/.exec(text)?.[0] ?? '');
      await one.press('Prove the address');
      await one.sees('Your address is proved.');
      await one.open(await link(`${mode}@example.com`));
      await one.press('Undo the change');
      await one.sees('Your earlier address is back.');
      await one.open('/');
      await one.sees('No account yet?');
    });

    it('a person adds a passkey, logs in with it, steps up with it and removes it', async () => {
      const user = await app.api.user();
      const one = await arrive();
      await VirtualAuthenticator.add(one.page);
      await login(one, user);
      await one.sees('Registered');
      await one.follow('Security');
      await one.fill('Name of the passkey', 'My laptop');
      await one.press('Add a passkey');
      await one.sees('The passkey is added.');
      await one.check();
      await one.press('Log out');
      await one.sees('You have logged out.');
      await one.press('Use a passkey');
      await one.sees('Registered');
      await one.growStale();
      await one.follow('Security');
      await one.press('Remove: My laptop');
      await one.sees('Confirm that it is you');
      await one.check();
      await one.press('Use a passkey');
      await one.sees('My laptop is removed.');
    });

    it('says that there is no connection, and goes on when there is one', async () => {
      const one = await arrive();
      await login(one, await app.api.user());
      await one.sees('Registered');
      app.proxy.fateOf = () => 'lose-request';
      await one.follow('Sessions');
      await one.sees('No connection to the server.');
      await one.check();
      app.proxy.fateOf = () => 'pass';
      await one.press('Try again');
      await one.sees('this device');
      one.complaints.length = 0;
    });
  });

  describe('with accounts by e-mail address', () => {
    beforeAll(async () => {
      checks = true;
      app = await BrowserApp.start({}, 'email');
    });
    afterAll(() => app.close());

    it('a person registers, confirms by the link of the mail, and logs in', async () => {
      const one = await arrive();
      await one.open('/#register');
      await one.fill('E-mail address', 'cosmo@example.com');
      await one.fill('Password', 'lunar-dachshund');
      await one.press('Register');
      await one.sees('A mail is on its way.');
      const address = await link('cosmo@example.com');
      await one.open(address);
      await one.check();
      await one.press('Create the account');
      await one.sees('Your account is ready.');
      await one.open(address);
      await one.press('Create the account');
      await one.sees('link');
      await one.follow('Go to the login');
      await one.fill('E-mail address', 'cosmo@example.com');
      await one.fill('Password', 'lunar-dachshund');
      await one.press('Log in');
      await one.sees('cosmo@example.com');
    });
  });
});
