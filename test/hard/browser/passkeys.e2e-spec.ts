import { afterAll, beforeAll, it, jest } from '@jest/globals';
import { Controller, Post } from '@nestjs/common';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { type Browser, type Page } from 'puppeteer-core';
import { FreshAccess } from '../../../src/auth/index.js';
import { describeChromium, startChromium, VirtualAuthenticator } from '../../support/chromium.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { expectError } from '../../support/expect-error.js';
import { type Begun, creationOptions, loginOptions, stepUpOptions } from '../../support/passkeys.js';

jest.setTimeout(60_000);

@Controller('safe')
class SafeController {
  @FreshAccess({ acr: 'phr' })
  @Post('open')
  open(): object {
    return {};
  }
}

describeChromium('passkeys in Chromium', () => {
  let api: TestApp;
  let browser: Browser;
  let server: Server;
  let page: Page;
  let authenticator: VirtualAuthenticator;

  beforeAll(async () => {
    server = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<p>hello'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const url = `http://localhost:${(server.address() as AddressInfo).port}`;
    api = await createTestApp({ controllers: [SafeController], env: { APP_URL: url } });
    browser = await startChromium();
    page = await browser.newPage();
    authenticator = await VirtualAuthenticator.add(page);
    await page.goto(url);
  });
  afterAll(async () => {
    await browser.close();
    await api.close();
    server.close();
  });

  const ask = async (ceremony: 'create' | 'get', { public_key }: Begun): Promise<object> => {
    const parse = ceremony === 'create' ? 'parseCreationOptionsFromJSON' : 'parseRequestOptionsFromJSON';
    const options = `PublicKeyCredential.${parse}(${JSON.stringify(public_key)})`;
    const script = `navigator.credentials.${ceremony}({ publicKey: ${options} }).then((c) => c.toJSON())`;
    return (await page.evaluate(script)) as object;
  };
  const logIn = async () => {
    const begun = await loginOptions(api);
    const response = await ask('get', begun);
    return api.request('POST', '/auth/login/passkey').send({ challenge: begun.challenge, response });
  };

  it('register, log in, step up to a route that asks for phr; a copy with an older counter is refused', async () => {
    const login = await api.login();
    const begun = await creationOptions(api, login.access);
    const response = await ask('create', begun);
    const added = { challenge: begun.challenge, response, name: 'Chromium' };
    await api.request('POST', '/auth/passkeys', login.access).send(added).expect(201);

    const copies = await authenticator.credentials();
    const { body } = await logIn();
    await api.request('POST', '/safe/open', body.access_token).expect(201);

    expectError(await api.request('POST', '/safe/open', login.access), 401, 'fresh_token_required');
    const stepping = await stepUpOptions(api, login.refresh);
    const proof = { challenge: stepping.challenge, passkey: await ask('get', stepping) };
    const raised = await api.request('POST', '/auth/reauthenticate', login.refresh).send(proof).expect(200);
    await api.request('POST', '/safe/open', raised.body.access_token).expect(201);

    await authenticator.clear();
    for (const copy of copies) await authenticator.addCredential(copy);
    expectError(await logIn(), 401, 'invalid_credentials');
  });
});
