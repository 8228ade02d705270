import { describe, expect, it } from '@jest/globals';
import { explainFailedStart } from '../../../src/app.module.js';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { createTestApp } from '../../support/create-test-app.js';
import { expectError } from '../../support/expect-error.js';

const start = (env: Record<string, string>) =>
  createTestApp({ env: { NODE_ENV: 'production', ...env }, auth: { keys: generateKeySet() } });

async function refusal(env: Record<string, string>): Promise<string> {
  try {
    await (await start(env)).close();
  } catch (error) {
    return explainFailedStart(error);
  }
  return 'started';
}

describe('in production', () => {
  it('what needs mail is off without SMTP_URL, and the rest works', async () => {
    const app = await start({ APP_URL: 'https://app.example' });
    try {
      const post = (path: string, body: object) => app.request('POST', path).send(body);
      expectError(await post('/auth/password/forgot', { username: 'cosmo' }), 404, 'not_found');
      expectError(
        await post('/auth/password/reset', { token: 'x', new_password: 'lunar-dachshund' }),
        404,
        'not_found',
      );
      const account = { username: 'cosmo', password: 'space-corgi' };
      const withAddress = { ...account, email: 'cosmo@example.com' };
      expectError(await post('/auth/register', withAddress), 400, 'validation_failed');
      await post('/auth/register', account).expect(201);
      const { body } = await post('/auth/login', account).expect(200);
      const put = app.request('PUT', '/auth/email', body.access_token).send({ email: 'cosmo@example.com' });
      expectError(await put, 404, 'not_found');
    } finally {
      await app.close();
    }
  });

  it('the start stops and names the variable that is missing', async () => {
    const url = { APP_URL: 'https://app.example' };
    const mail = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'app@app.example' };
    expect(await refusal({ ...url, LOGIN_NAME: 'email' })).toContain('SMTP_URL: must be set');
    expect(await refusal(mail)).toContain('APP_URL: must be set');
    expect(await refusal({ APP_URL: 'https://192.0.2.1' })).toContain(
      'APP_URL: https://192.0.2.1 has an IP address',
    );
    expect(await refusal({ APP_URL: 'https://[2001:db8::1]' })).toContain('APP_URL: ');
    expect(await refusal({ ...mail, ...url, LOGIN_NAME: 'email' })).toBe('started');
  });
});
