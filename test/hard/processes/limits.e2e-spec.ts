import { describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { makeFolder, start } from '../../support/server-process.js';

describe.each(['development', 'production'])('default limits [%s]', (NODE_ENV) => {
  it('the sixth guess from one address is refused without a check of the password', async () => {
    const folder = makeFolder();
    writeFileSync(join(folder, 'keys.json'), JSON.stringify(generateKeySet()), { mode: 0o600 });
    const env = {
      NODE_ENV,
      APP_URL: 'https://app.example',
      AUTH_KEYS_FILE: './keys.json',
      DATABASE_URL: ':memory:',
    };
    const server = await start({ folder, env });
    const account = { username: 'cosmo', password: 'space-corgi' };
    await server.request('POST', '/auth/register', { body: account });
    const body = { ...account, password: 'wrong-password' };
    for (let i = 0; i < 5; i++)
      expect(await server.request('POST', '/auth/login', { body })).toMatchObject({ status: 401 });
    expect(await server.request('POST', '/auth/login', { body: account })).toMatchObject({
      status: 429,
      body: { errorCode: 'rate_limited' },
    });
    await server.stop();
  });
});
