import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { type AddressInfo } from 'node:net';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { type Browser } from 'puppeteer-core';
import { describeChromium, startChromium, VirtualAuthenticator } from '../../support/chromium.js';

jest.setTimeout(60_000);

/** As text: the compiler of the tests does not know the browser's types. */
const CREATE = `navigator.credentials.create({
  publicKey: {
    challenge: new Uint8Array(32),
    rp: { name: 'test', id: 'localhost' },
    user: { id: new Uint8Array(16), name: 'cosmo', displayName: 'cosmo' },
    pubKeyCredParams: [{ type: 'public-key', alg: -7 }],
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  },
}).then(() => undefined)`;

describeChromium('The browser of the tests', () => {
  let browser: Browser;
  let server: Server;

  beforeAll(async () => {
    server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>hello'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    browser = await startChromium();
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  it('creates a passkey for localhost with a virtual authenticator, whose private key the test can read', async () => {
    const page = await browser.newPage();
    const authenticator = await VirtualAuthenticator.add(page);
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    await page.evaluate(CREATE);
    const [credential] = await authenticator.credentials();
    expect(credential).toMatchObject({ rpId: 'localhost', isResidentCredential: true });
    expect(credential?.privateKey.length).toBeGreaterThan(100);
    await authenticator.clear();
    expect(await authenticator.credentials()).toEqual([]);
  });
});
