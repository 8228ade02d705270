import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';
import { decode } from 'jsonwebtoken';
import { AccountImport } from '../../src/administration/index.js';
import { readLines } from '../../src/cli/read-lines.js';
import { Database } from '../../src/database/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

const PASSWORD = 'space-corgi';
const BCRYPT = '$2y$04$uB/rmHy2eJm/RHnXESEPmecgG0XcEPqN/oOwpvba.cCv6iJMum9Ae';
const DJANGO = 'pbkdf2_sha256$1000$z9pnz2gGxYFTq5CDnNqc9W$ZPAKH3SeNvwpa/RzMrKYw7iTHh4KfWhW6e02xyPvXNk=';
const WERKZEUG =
  'scrypt:1024:8:1$pSu249Eqt5BT35gP$31f6340e67ee0f4e0e4cebdc7ffa0907c8c9dbaf66c55d0366f49b17e286b68605aecc653e71994f38317b72a139c05c8aac067827d4f108380f58a17de78667';
const ARGON2I =
  '$argon2i$v=19$m=64,t=1,p=1$by0aJ/KFjE555W7tEejxKw$S++ysKO3jJdYkXrDoZRXwiKx3bq5+1Oh8Na9DvherEo';

describeEachEngine('import of accounts', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  /** Each line is an object, or the text or bytes themselves. */
  const importLines = async (...lines: (object | string | Buffer)[]) => {
    const bytes = lines.map((line) =>
      Buffer.isBuffer(line) || typeof line === 'string'
        ? Buffer.from(line)
        : Buffer.from(JSON.stringify(line)),
    );
    const file = Buffer.concat(bytes.flatMap((line) => [line, Buffer.from('\n')]));
    // In pieces that end within lines.
    const pieces = Array.from({ length: Math.ceil(file.length / 100) }, (_, i) =>
      file.subarray(i * 100, (i + 1) * 100),
    );
    return api.get(AccountImport).run(readLines(Readable.from(pieces)));
  };
  const login = (username: string, password = PASSWORD) =>
    api.request('POST', '/auth/login').send({ username, password });
  const rowOf = (username: string) =>
    api
      .get(Database)
      .selectFrom('users')
      .selectAll()
      .where('username', '=', username)
      .executeTakeFirstOrThrow();

  it.each([
    ['bcrypt', BCRYPT, PASSWORD],
    ['Django', DJANGO, PASSWORD],
    ['Werkzeug', WERKZEUG, PASSWORD],
    ['argon2i', ARGON2I, 'pw'],
  ])('a %s hash is verified at the first login, which replaces it', async (name, hash, password) => {
    const username = `old-${name.toLowerCase()}`;
    expect(await importLines({ username, password_hash: hash })).toEqual({ imported: 1, refused: [] });
    expectError(await login(username, 'wrong-password'), 401, 'invalid_credentials');
    expect((await rowOf(username)).password_hash).toBe(hash);
    await login(username, password).expect(200);
    const { password_hash: replaced, credential_version: version } = await rowOf(username);
    expect(replaced).toMatch(/^\$argon2id\$v=19\$/);
    expect(version).toBe(1);
    await login(username, password).expect(200);
    expectError(await login(username, 'wrong-password'), 401, 'invalid_credentials');
  });

  it('keeps id, roles and the time of creation, and records each account', async () => {
    const id = randomUUID();
    await importLines({
      id: id.toUpperCase(),
      username: 'Laika',
      password_hash: BCRYPT,
      roles: ['ops', 'admin', 'ops'],
      created_at: '1957-11-03T02:30:00Z',
    });
    const { body } = await login('laika').expect(200);
    expect(decode(body.access_token)).toMatchObject({ sub: id, roles: ['ops', 'admin'] });
    const profile = await api.request('GET', '/profile', body.access_token).expect(200);
    expect(profile.body).toMatchObject({ id, username: 'laika', created_at: '1957-11-03T02:30:00.000Z' });
    const events = await api
      .get(Database)
      .selectFrom('audit_events')
      .selectAll()
      .where('subject_id', '=', id)
      .orderBy('id')
      .execute();
    expect(events[0]).toMatchObject({
      event: 'user_created',
      cause: 'imported, roles ops admin',
      actor_id: null,
      user_agent: 'operator',
    });
  });

  it('a proved address logs in, also without a username; one that is not proved reserves nothing', async () => {
    const of = (username: string | null, email: string, email_verified?: boolean) => ({
      ...(username === null ? {} : { username }),
      email,
      password_hash: BCRYPT,
      ...(email_verified === undefined ? {} : { email_verified }),
    });
    const report = await importLines(
      of('proved', 'Proved@App.example', true),
      of(null, 'nameless@app.example', true),
      of('pending-1', 'pending@app.example', false),
      of('pending-2', 'pending@app.example'),
      of('second-1', 'proved@app.example', true),
      of(null, 'nameless@app.example', true),
    );
    expect(report).toEqual({
      imported: 4,
      refused: [
        { line: 5, problem: 'second-1 or proved@app.example is taken' },
        { line: 6, problem: 'nameless@app.example is taken' },
      ],
    });
    for (const name of ['proved', 'proved@app.example', 'NAMELESS@app.example', 'pending-1'])
      await login(name).expect(200);
    expectError(await login('pending@app.example'), 401, 'invalid_credentials');
    expect(await rowOf('pending-2')).toMatchObject({ email: null, email_pending: 'pending@app.example' });
  });

  it('without a password, no password opens the account', async () => {
    await importLines({ username: 'no-password', password_hash: null });
    for (const password of ['!', PASSWORD, ' '])
      expectError(await login('no-password', password), 401, 'invalid_credentials');
  });

  it('names each wrong line with its number, and imports the others', async () => {
    await api.user('taken');
    const id = randomUUID();
    const report = await importLines(
      { username: 'first.one', id },
      '',
      'no json',
      '["a list"]',
      'null',
      { username: 'x' },
      { username: 'with@sign' },
      {},
      { username: 'extra-1', passwrd: 'hunter2-hunter2' },
      { username: 'TAKEN' },
      { username: 'first.one' },
      { username: 'same-id', id },
      { username: 'wrong-id', id: '17' },
      { username: 'wrong-role', roles: ['Admin'] },
      { username: 'role-text', roles: 'admin' },
      { username: 'many-roles', roles: Array.from({ length: 17 }, (_, i) => `r${i}`) },
      { username: 'md5-hash', password_hash: '5f4dcc3b5aa765d61d8327deb882cf99' },
      {
        username: 'huge-hash',
        password_hash: `$argon2id$v=19$m=4194304,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
      },
      { username: 'number-hash', password_hash: 7 },
      { username: 'tomorrow', created_at: new Date(api.clock.now() + 1000).toISOString() },
      { username: 'some-day', created_at: 'yesterday' },
      Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]),
      `{"username": "long-line", "roles": [${' '.repeat(70_000)}]}`,
      { username: 'constructor', constructor: 1 },
      { username: 'two-ats', email: 'a@b@c.example' },
      { username: 'two-mails', email: 'a@b.example,c@d.example' },
      { email: 'unproved@app.example' },
      { username: 'no-email', email_verified: true },
      { username: 'yes-email', email: 'yes@app.example', email_verified: 'yes' },
      { username: 'last.one' },
    );
    const messages = report.refused.map(({ line, problem }) => `${line}: ${problem}`);
    expect(messages).toEqual([
      '3: is not JSON',
      '4: is not a JSON object',
      '5: is not a JSON object',
      '6: username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen',
      '7: username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen',
      '8: username is missing, and there is no proved email to log in with',
      '9: passwrd property passwrd should not exist',
      '10: taken is taken',
      '11: first.one is taken',
      `12: the id ${id} is taken`,
      expect.stringMatching(/^13: id must be a UUID/),
      expect.stringMatching(/^14: .*each role must be 1 to 64/),
      expect.stringMatching(/^15: roles must be an array/),
      expect.stringMatching(/^16: roles must contain no more than 16/),
      '17: password_hash is not an argon2, bcrypt, scrypt or PBKDF2 hash in a known spelling',
      '18: password_hash has memory in KiB 4194304, more than 262144',
      '19: password_hash must be text',
      '20: created_at is in the future',
      '21: created_at must be a time like 2024-05-01T12:00:00Z',
      '22: is not UTF-8',
      '23: is longer than 65536 bytes',
      '24: constructor property constructor should not exist',
      '25: email must be one address, such as cosmo@example.com',
      '26: email must be one address, such as cosmo@example.com',
      '27: username is missing, and there is no proved email to log in with',
      '28: email is missing, and email_verified is true',
      expect.stringMatching(/^29: email_verified must be a boolean/),
    ]);
    expect(messages.join()).not.toMatch(/hunter2|5f4dcc3b/);
    expect(report.imported).toBe(2);
    await rowOf('last.one');
  });

  it('a second run refuses what the first one imported, across transactions', async () => {
    const many = Array.from({ length: 450 }, (_, i) => ({ username: `many-${i}` }));
    expect(await importLines(...many.slice(0, 250))).toEqual({ imported: 250, refused: [] });
    const { imported, refused } = await importLines('\ufeff' + JSON.stringify(many[0]), ...many.slice(1));
    expect([imported, refused.length, refused[0]]).toEqual([
      200,
      250,
      { line: 1, problem: 'many-0 is taken' },
    ]);
  });
});
