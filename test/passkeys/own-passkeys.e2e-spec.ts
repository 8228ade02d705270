import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { AccountAdmin, UserStore } from '../../src/auth/index.js';
import { Database } from '../../src/database/index.js';
import { NO_PASSWORD } from '../../src/passwords/stored-hash.js';
import { expectChallenge, SoftwareAuthenticator } from '../../src/testing/index.js';
import { claimsOf } from '../support/claims.js';
import { createTestApp, type TestApp, type TestUser } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { challengeOf, answer } from '../support/factors.js';
import { type Begun, creationOptions, loginOptions } from '../support/passkeys.js';

const ORIGIN = 'http://localhost:3000';

describeEachEngine('the passkeys of a user', (engine) => {
  let api: TestApp;
  let user: TestUser;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());
  beforeEach(async () => {
    api.clock.advance('2m');
    user = await api.user();
  });

  const add = (token: string, { challenge, public_key }: Begun, given: object = {}, more: object = {}) =>
    api
      .request('POST', '/auth/passkeys', token)
      .send({ challenge, response: new SoftwareAuthenticator(ORIGIN).create(public_key, given), ...more });
  const rowOf = async (id: string) => (await api.get(UserStore).findById(id))!;
  const eventsOf = async () =>
    (
      await api
        .get(Database)
        .selectFrom('audit_events')
        .select(['event', 'cause'])
        .where('subject_id', '=', user.id)
        .orderBy('id')
        .execute()
    )
      .filter(({ event, cause }) => event.includes('factor') || cause?.includes('passkey'))
      .map(({ event, cause }) => `${event} ${cause}`);

  it('are added, listed, renamed and removed; changes end no session and move the credential version', async () => {
    const { token } = await api.as(user).fresh();
    const { credentialVersion } = await rowOf(user.id);
    const begun = await creationOptions(api, token);
    expect(begun.public_key).toMatchObject({
      rp: { id: 'localhost', name: 'freshgate' },
      user: { name: user.username, displayName: user.username },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ alg, type: 'public-key' })),
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      attestation: 'none',
      excludeCredentials: [],
    });
    expect(Buffer.from(begun.public_key.user!.id, 'base64url')).toHaveLength(32);
    const { body } = await add(token, begun, {}, { name: '  My phone 📱 ' }).expect(201);
    expect(body).toEqual({
      id: expect.any(String),
      name: 'My phone 📱',
      created_at: expect.stringMatching(/Z$/),
      last_used_at: null,
    });
    expect((await rowOf(user.id)).credentialVersion).toBe(credentialVersion + 1);
    const listed = await api.request('GET', '/auth/factors', token).expect(200);
    expect(listed.body).toEqual({ otp: [], passkeys: [body], recovery_codes_left: 0 });

    const strong = await api.as(user).fresh({ acr: 'phr' });
    const renamed = await strong.patch(`/auth/passkeys/${body.id}`).send({ name: 'Key' }).expect(200);
    expect(renamed.body).toEqual({ ...body, name: 'Key' });
    await strong.delete(`/auth/passkeys/${body.id}`).expect(204);
    expect((await rowOf(user.id)).credentialVersion).toBe(credentialVersion + 2);
    expect((await api.request('GET', '/auth/factors', token).expect(200)).body.passkeys).toEqual([]);
    expect(await eventsOf()).toEqual([
      'authn_factor_added passkey',
      'user_updated passkey_renamed',
      'authn_factor_removed passkey',
    ]);
  });

  it('are changed by a fresh token of the strongest level alone, and removed once by each', async () => {
    const passkey = await api.as(user).passkey();
    const wanted = { acr: 'phr', maxAge: '15m' } as const;
    for (const acr of ['pwd', 'mfa'] as const) {
      const weak = await api.as(user).fresh({ acr });
      expectChallenge(await weak.post('/auth/passkeys/options').send({}), wanted);
      expectChallenge(await weak.patch(`/auth/passkeys/${passkey.id}`).send({ name: 'mine' }), wanted);
      expectChallenge(await weak.delete(`/auth/passkeys/${passkey.id}`), wanted);
      expectChallenge(await weak.post('/auth/factors/otp').send({}), wanted);
    }
    const stale = await api.as(user).stale({ acr: 'phr' });
    expectChallenge(await stale.post('/auth/passkeys/options').send({}), { maxAge: '15m' });
    const strong = await api.as(user).fresh({ acr: 'phr' });
    for (const unknown of ['x', '00000000-0000-7000-8000-000000000000']) {
      expectError(await strong.delete(`/auth/passkeys/${unknown}`), 404, 'not_found');
      expectError(await strong.patch(`/auth/passkeys/${unknown}`).send({ name: 'x' }), 404, 'not_found');
    }
    const { id } = await api.as(user).passkey();
    await strong.delete(`/auth/passkeys/${passkey.id}`).expect(204);
    expectError(await strong.delete(`/auth/passkeys/${id}`), 401, 'fresh_token_required');
  });

  it('cannot be added with a level below the strongest, though the options came before', async () => {
    const weak = await api.as(user).fresh();
    const begun = await creationOptions(api, weak.token);
    await api.as(user).passkey();
    expectError(await add(weak.token, begun), 409, 'changed_meanwhile');
    const strong = await api.as(user).fresh({ acr: 'phr' });
    const theirs = await creationOptions(api, strong.token);
    expectError(await add(weak.token, theirs), 400, 'validation_failed');
  });

  it('of another user are not found', async () => {
    const { id } = await api.as(await api.user()).passkey();
    await api.as(user).passkey();
    const strong = await api.as(user).fresh({ acr: 'phr' });
    expectError(await strong.delete(`/auth/passkeys/${id}`), 404, 'not_found');
    expectError(await strong.patch(`/auth/passkeys/${id}`).send({ name: 'mine' }), 404, 'not_found');
  });

  it('are added once for each challenge, of 30 at the same time', async () => {
    const { token } = await api.as(user).fresh();
    const begun = await creationOptions(api, token);
    const answers = await Promise.all(Array.from({ length: 30 }, () => add(token, begun)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    expect(answers.filter(({ status }) => status >= 500)).toEqual([]);
    expect((await api.request('GET', '/auth/factors', token)).body.passkeys).toHaveLength(1);
  });

  it.each([
    ['a user who was not verified', { userVerified: false }],
    ['a page of another origin', { origin: 'https://evil.example' }],
    ['another site', { rpId: 'evil.example' }],
  ])('are not added from %s', async (_, given) => {
    const { token } = await api.as(user).fresh();
    expectError(await add(token, await creationOptions(api, token), given), 400, 'validation_failed');
    expect((await api.request('GET', '/auth/factors', token)).body.passkeys).toEqual([]);
  });

  it('are not added with a certificate: the server would fetch revocation lists from its addresses', async () => {
    const { token } = await api.as(user).fresh();
    const { challenge, public_key } = await creationOptions(api, token);
    const response = new SoftwareAuthenticator(ORIGIN).create(public_key) as {
      response: { attestationObject: string };
    };
    const none = Buffer.from(response.response.attestationObject, 'base64url');
    // CBOR: "fmt": "packed", and "attStmt": {"x5c": []} in place of {}.
    const packed = Buffer.concat([
      Buffer.from([0xa3, 0x63]),
      Buffer.from('fmt'),
      Buffer.from([0x66]),
      Buffer.from('packed'),
      Buffer.from([0x67]),
      Buffer.from('attStmt'),
      Buffer.from([0xa1, 0x63]),
      Buffer.from('x5c'),
      Buffer.from([0x80]),
      none.subarray(none.indexOf('authData') - 1),
    ]);
    response.response.attestationObject = packed.toString('base64url');
    const refused = await api.request('POST', '/auth/passkeys', token).send({ challenge, response });
    expectError(refused, 400, 'validation_failed');
    expect(refused.body.message).toContain('it has an attestation that was not requested');
  });

  it('are not added with an algorithm that is not offered', async () => {
    const { token } = await api.as(user).fresh();
    const { challenge, public_key } = await creationOptions(api, token);
    const response = new SoftwareAuthenticator(ORIGIN).create(public_key) as {
      response: { attestationObject: string };
    };
    const bytes = Buffer.from(response.response.attestationObject, 'base64url');
    // COSE: label 3 is the algorithm; from -7 (ES256) to -16, which is not a signature algorithm.
    const at = bytes.indexOf(Buffer.from([0x01, 0x02, 0x03, 0x26]));
    expect(at).toBeGreaterThan(0);
    bytes[at + 3] = 0x2f;
    response.response.attestationObject = bytes.toString('base64url');
    const refused = await api.request('POST', '/auth/passkeys', token).send({ challenge, response });
    expectError(refused, 400, 'validation_failed');
  });

  it('have a handle that all of a user share, and a list of those that exist', async () => {
    const first = await api.as(user).passkey();
    const { token } = await api.as(user).fresh({ acr: 'phr' });
    const begun = await creationOptions(api, token);
    expect(begun.public_key).toMatchObject({
      excludeCredentials: [{ id: first.authenticator.credentialId.toString('base64url') }],
    });
    await add(token, begun).expect(201);
    const rows = await api
      .get(Database)
      .selectFrom('passkeys')
      .select('user_handle')
      .where('user_id', '=', user.id)
      .execute();
    expect(new Set(rows.map(({ user_handle }) => user_handle)).size).toBe(1);
    expect(rows).toHaveLength(2);
  });

  it('are registered once: another account cannot add a credential that exists', async () => {
    const passkey = await api.as(user).passkey();
    const { token } = await api.as(await api.user()).fresh();
    const { challenge, public_key } = await creationOptions(api, token);
    const response = passkey.authenticator.create(public_key);
    const taken = await api.request('POST', '/auth/passkeys', token).send({ challenge, response });
    expectError(taken, 400, 'validation_failed');
  });

  it('are at most 20', async () => {
    await api.as(user).passkey();
    const { token } = await api.as(user).fresh({ acr: 'phr' });
    const [row] = await api
      .get(Database)
      .selectFrom('passkeys')
      .selectAll()
      .where('user_id', '=', user.id)
      .execute();
    const copies = Array.from({ length: 18 }, (_, n) => ({
      ...row!,
      id: randomUUID(),
      credential_id: `${row!.credential_id}${n}`,
    }));
    await api.get(Database).insertInto('passkeys').values(copies).execute();
    const [first, second] = [await creationOptions(api, token), await creationOptions(api, token)];
    await add(token, first).expect(201);
    expectError(
      await api.request('POST', '/auth/passkeys/options', token).send({}),
      400,
      'validation_failed',
    );
    expectError(await add(token, second), 409, 'changed_meanwhile');
  });

  it('are never removed where they are the last way in: an account without a password', async () => {
    const passkey = await api.as(user).passkey();
    await api
      .get(Database)
      .updateTable('users')
      .set({ password_hash: NO_PASSWORD })
      .where('id', '=', user.id)
      .execute();
    const login = await passkey.login();
    const remove = (id: string) => api.request('DELETE', `/auth/passkeys/${id}`, login.access);
    expectError(await remove(passkey.id), 409, 'last_way_in');
    const other = await api.as(user).passkey();
    await remove(passkey.id).expect(204);
    expectError(
      await api.request('DELETE', `/auth/passkeys/${other.id}`, (await other.login()).access),
      409,
      'last_way_in',
    );
  });

  it('end logins that wait for a second factor, and go with the account', async () => {
    const authenticator = await api.authenticator(user);
    const challenge = await challengeOf(api, user);
    const passkey = await api.as(user).passkey();
    expectError(await answer(api, challenge, { otp: authenticator.code() }), 401, 'token_revoked');
    const login = await passkey.login();
    await api.request('DELETE', '/profile', login.access).expect(204);
    const begun = await loginOptions(api);
    const response = passkey.authenticator.get(begun.public_key);
    const gone = await api
      .request('POST', '/auth/login/passkey')
      .send({ challenge: begun.challenge, response });
    expectError(gone, 401, 'invalid_credentials');
  });

  it('are removed with all factors by an operator and by an administrator, without ending sessions', async () => {
    await api.as(user).passkey();
    const { token } = await api.as(user).stale();
    await api.get(AccountAdmin).resetFactors(user.username);
    expect((await api.request('GET', '/auth/factors', token).expect(200)).body.passkeys).toEqual([]);
    await api.as(user).passkey();
    const admin = await api
      .as(await api.user())
      .role('admin')
      .fresh();
    await admin.post(`/admin/users/${user.id}/reset-factors`).expect(204);
    expect((await api.request('GET', '/auth/factors', token).expect(200)).body.passkeys).toEqual([]);
  });

  it('have names of 1 to 64 printable characters, and "Passkey" without one', async () => {
    const { token } = await api.as(user).fresh();
    const begun = await creationOptions(api, token);
    for (const name of ['', ' ', 'x'.repeat(65), 'a\u0000b', 5])
      expectError(await add(token, begun, {}, { name }), 400, 'validation_failed');
    expect((await add(token, begun).expect(201)).body.name).toBe('Passkey');
  });
});

describe('the kit', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  it('has passkeys without a browser: login and step-up', async () => {
    const passkey = await api.as('cosmo').passkey({ name: 'Laptop' });
    const login = await passkey.login();
    expect(claimsOf(login.access)).toMatchObject({ acr: 'phr', fresh: true });
    const weak = await passkey.user.login();
    await passkey.stepUp(weak);
    expect(claimsOf(weak.access)).toMatchObject({ acr: 'phr' });
    const factors = await api.request('GET', '/auth/factors', login.access).expect(200);
    expect(factors.body.passkeys).toMatchObject([{ id: passkey.id, name: 'Laptop' }]);
    const otp = await api.as('laika').with.otp().passkey();
    await otp.login();
  });
});
