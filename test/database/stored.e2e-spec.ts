import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { Database } from '../../src/database/index.js';
import { KeyFileWatcher } from '../../src/keys/key-file-watcher.js';
import { type PrivateJwkSet } from '../../src/keys/key-ring.js';
import { removeNow } from '../../src/keys/key-rotation.js';
import { loginInBrowser } from '../support/browser.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { dump } from '../support/dump.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { OnceController } from '../support/once.controller.js';
import { makeFolder } from '../support/server-process.js';

/* A thief has a copy of the database. */

describeEachEngine('what is stored', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      engine,
      realHashes: true,
      controllers: [OnceController],
      auth: { locations: { order: ['header', 'cookie'] }, cookies: { secure: true } },
    });
  });
  afterAll(() => api.close());

  it('after a whole story no table holds a secret, or a part of one', async () => {
    const jar = await loginInBrowser(api);
    const { username, password } = jar.user;
    const secrets = new Set([password, 'wrong-password', 'lunar-dachshund']);
    let stored = '';
    const send = async (method: string, path: string, status: number, body?: object) => {
      const key = `key-of-${method}-${path}-${secrets.size}`;
      const test = api.request(method, path).set('Sec-Fetch-Site', 'same-origin').set('Cookie', jar.header());
      jar.keep(await test.set('Idempotency-Key', key).send(body).expect(status));
      // Of a JWT the first part is public, and so is the name of the key that the other values begin with.
      for (const value of ['access_token', 'refresh_token', 'csrf_token', 'device'].map((name) =>
        jar.value(name),
      ))
        for (const secret of [value, ...value.split('.').slice(1)]) secrets.add(secret);
      secrets.add(key);
      // After each step, because a later one may delete rows.
      stored += JSON.stringify(await dump(api));
    };
    await send('POST', '/auth/login', 401, { username, password: 'wrong-password' });
    await send('POST', '/auth/refresh', 200);
    await send('POST', '/auth/reauthenticate', 200, { password });
    await send('POST', '/once', 201);
    await send('POST', '/auth/reauthenticate', 401, { password: 'wrong-password' });
    await send('POST', '/auth/reauthenticate', 200, { password });
    const change = { current_password: password, new_password: 'lunar-dachshund' };
    await send('PUT', '/auth/password', 200, change);
    await send('POST', '/auth/logout', 204);

    expect([...secrets].filter((secret) => secret !== '' && stored.includes(secret))).toEqual([]);
    expect(secrets.size).toBeGreaterThan(25);
  });

  it('no stored value is taken for a token, a password, a device or a CSRF value', async () => {
    const login = await api.login();
    const { username, password } = login.user;
    await login.rotate('a-key');
    // What the tables say of this user: the hash of the password, the session, the key of its rotation.
    const rows = Object.values(await dump(api)).flat();
    const values = rows
      .filter((row) => row.includes(login.user.id))
      .flatMap((row) => Object.values(JSON.parse(row) as object).map(String));
    const tried = [...new Set(values)].filter((value) => /^[\x21-\x7e]{20,}$/.test(value));
    expect(tried.some((value) => value.startsWith('$argon2id$'))).toBe(true);
    expect(tried.length).toBeGreaterThan(5);
    for (const value of tried) {
      expect((await api.request('GET', '/profile', value)).status).toBe(401);
      expect((await login.tryRefresh(value)).status).toBe(401);
      const wrong = await api.request('POST', '/auth/login').send({ username, password: value });
      expectError(wrong, 401, 'invalid_credentials');
      const Cookie = `__Host-refresh_token=${login.refresh}; __Host-csrf_token=${value}`;
      const forged = await api.request('POST', '/auth/refresh').set({ Cookie, 'X-CSRF-Token': value });
      expectError(forged, 403, 'csrf_failed');
    }
    await api.request('POST', '/auth/login').send({ username, password }).expect(200);
  });

  it('a hash of other parameters is replaced at the next proof of the password', async () => {
    const user = await api.user();
    const older =
      '$argon2id$v=19$m=4096,t=3,p=1$mmqZa8kgZRl0x8irHc4qgg$Xe4aTNaBZxXuh7TJfvBMLX+FJ/lLexOeuvMxHpMQ32c';
    const { id, username } = user;
    const db = api.get(Database);
    const hash = async () => {
      const query = db.selectFrom('users').select('password_hash').where('id', '=', id);
      return (await query.executeTakeFirstOrThrow()).password_hash;
    };
    await db.updateTable('users').set({ password_hash: older }).where('id', '=', id).execute();
    const wrong = await api.request('POST', '/auth/login').send({ username, password: 'wrong-password' });
    expectError(wrong, 401, 'invalid_credentials');
    expect(await hash()).toBe(older);
    const login = await user.login();
    const renewed = await hash();
    expect(renewed).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    // The session stays, and the hash is replaced once.
    await login.rotate();
    await user.login();
    expect(await hash()).toBe(renewed);
  });
});

describe('a backup that was restored', () => {
  it('restores sessions revoked since, unless a token is newer; without the old keys it restores none', async () => {
    const folder = makeFolder();
    const [file, backup, keysFile] = ['live.db', 'backup.db', 'keys.json'].map((name) => join(folder, name));
    const database = { url: `file:${file}`, drop: async () => {} };
    const open = () => createTestApp({ database, keysFile: keysFile! });
    let api = await open();
    const user = await api.user();
    const [ended, rotated] = [await user.login(), await user.login()];
    await sql`vacuum into ${sql.lit(backup)}`.execute(api.get(Database));
    await api.request('POST', '/auth/logout', ended.access).expect(204);
    await rotated.rotate();
    await rotated.rotate();
    await api.close();

    for (const suffix of ['', '-wal', '-shm']) rmSync(`${file}${suffix}`, { force: true });
    copyFileSync(backup!, file!);
    api = await open();
    const refresh = (token: string) => api.request('POST', '/auth/refresh', token);
    expectError(await refresh(rotated.refresh), 401, 'token_revoked');
    const again = await refresh(ended.refresh).expect(200);

    let set = JSON.parse(readFileSync(keysFile!, 'utf8')) as PrivateJwkSet;
    for (const { kid } of set.keys) ({ set } = removeNow(set, api.clock.now(), kid));
    writeFileSync(keysFile!, JSON.stringify(set));
    await api.get(KeyFileWatcher).look(keysFile!);
    const { access_token, refresh_token } = again.body as TokenPairDto;
    for (const token of [refresh_token, ended.refresh, rotated.refresh])
      expectError(await refresh(token), 401, 'token_invalid');
    for (const token of [access_token, ended.access, rotated.access])
      expectError(await api.request('GET', '/profile', token), 401, 'token_invalid');
    const { username, password } = user;
    await api.request('POST', '/auth/login').send({ username, password }).expect(200);
    await api.close();
  });
});
