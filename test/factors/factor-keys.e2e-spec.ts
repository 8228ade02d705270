import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyRing, type PrivateJwkSet } from '../../src/keys/key-ring.js';
import { removeNow, retire, rotate } from '../../src/keys/key-rotation.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { enrolled, loginWith } from '../support/factors.js';

const TTL = { access: 900_000, refresh: 900_000 };

describe('the key of second factors', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-factor-keys-'));
  const keysFile = join(folder, 'keys.json');
  const read = () => JSON.parse(readFileSync(keysFile, 'utf8')) as PrivateJwkSet;
  const usesOf = ({ keys }: PrivateJwkSet) => keys.map(({ token_use }) => token_use);
  let api: TestApp | undefined;
  beforeEach(() => {
    api = undefined;
  });
  afterEach(async () => {
    await api?.close();
    rmSync(keysFile, { force: true });
  });

  it('is in a new file, and is added to an older one with the first enrolment, where the server may change the file', async () => {
    api = await createTestApp({ keysFile });
    expect(usesOf(read())).toEqual(['access', 'refresh', 'factor']);
    await api.close();
    const older = { keys: read().keys.filter(({ token_use }) => token_use !== 'factor') };
    writeFileSync(keysFile, JSON.stringify(older));
    api = await createTestApp({ keysFile });
    // A server of the previous version, which would refuse the file with such a key, can still be restarted.
    expect(usesOf(read())).toEqual(['access', 'refresh']);
    await enrolled(api);
    expect(usesOf(read())).toEqual(['access', 'refresh', 'factor']);
  });

  it('is missed only at an enrolment, where the server may not add it', async () => {
    api = await createTestApp({ keysFile });
    await api.close();
    const older = { keys: read().keys.filter(({ token_use }) => token_use !== 'factor') };
    api = await createTestApp({ auth: { keys: older } });
    const login = await api.login();
    const refusal = await api.request('POST', '/auth/factors/otp', login.access).send({});
    expectError(refusal, 404, 'not_found');
    expect((refusal.body as { message: string }).message).toBe('This server has no key for second factors');
  });

  it('stays through rotate and retire, and signs and verifies no token', async () => {
    api = await createTestApp({ keysFile });
    const own = await enrolled(api);
    const now = api.clock.now();
    let set = read();
    for (const kind of ['access', 'refresh', 'factor'] as const) set = rotate(set, kind, now).set;
    const { set: retired, result } = retire(set, TTL, now);
    expect(result.map(({ token_use }) => token_use)).toEqual(['access', 'refresh']);
    const [old] = set.keys.filter(({ token_use }) => token_use === 'factor');
    expect(() => retire(set, TTL, now, old!.kid)).toThrow('stays while authenticators derive from it');
    api.clock.advance('10m');
    api.get(KeyRing).replace(retired, api.clock.now());
    await loginWith(api, own.user, { otp: own.authenticator.code() }).expect(200);
    await enrolled(api);
    expect(() => new KeyRing({ keys: [...retired.keys, { ...old!, kid: 'x', alg: 'ES256' }] }, now)).toThrow(
      '"alg" of a key with "token_use": "factor" must be HS256',
    );
    expect(
      () => new KeyRing({ keys: [...retired.keys, { ...old!, kid: 'x', verifies_until: 9e9 }] }, now),
    ).toThrow('"verifies_until" must be absent');
  });

  it('voids its authenticators when it is removed; recovery codes go on', async () => {
    api = await createTestApp({ keysFile });
    const own = await enrolled(api);
    const now = api.clock.now();
    const set = read();
    const [old] = set.keys.filter(({ token_use }) => token_use === 'factor');
    const { set: without, result } = removeNow(set, now, old!.kid);
    expect(result).toMatchObject({ kind: 'factor', signed: true, made: true });
    api.get(KeyRing).replace(without, now);
    expectError(
      await loginWith(api, own.user, { otp: own.authenticator.code() }),
      401,
      'invalid_credentials',
    );
    const [recovery_code] = own.authenticator.recoveryCodes;
    await loginWith(api, own.user, { recovery_code }).expect(200);
    await enrolled(api);
  });
});

describePostgres('a dump of the database', () => {
  let database: TestDatabase;
  const apps: TestApp[] = [];
  afterEach(async () => {
    for (const each of apps.splice(0)) await each.close();
    await database.drop();
  });

  it('makes no code without the key file', async () => {
    database = await createTestDatabase('postgres');
    const own = await createTestApp({ database });
    apps.push(own);
    const { user, authenticator } = await enrolled(own);
    const stolen = await createTestApp({ database, clock: own.clock });
    apps.push(stolen);
    const { username, password } = user;
    const body = { username, password, otp: authenticator.code() };
    // The thief has every row and keys of their own.
    expectError(await stolen.request('POST', '/auth/login').send(body), 401, 'invalid_credentials');
    await own.request('POST', '/auth/login').send(body).expect(200);
  });
});
