import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import {
  createTestDatabase,
  describeEachEngine,
  describePostgres,
  type TestDatabase,
} from '../../support/engines.js';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';
import { users, usersHere } from '../../support/users-command.js';

const GENERATED = /^Password, shown this once: ([\w-]{20})$/m;

async function login(server: ServerProcess, username: string, password: string) {
  return server.request<TokenPairDto & { errorCode?: string }>('POST', '/auth/login', {
    body: { username, password },
  });
}

describeEachEngine('npm run users', (engine) => {
  const folder = makeFolder();
  let database: TestDatabase;
  let env: Record<string, string>;
  beforeAll(async () => {
    database = await createTestDatabase(engine);
    // In memory, each command would have a database of its own.
    env = engine === 'sqlite' ? {} : { DATABASE_URL: database.url };
  });
  afterAll(() => database.drop());

  // As processes on one engine: what those add is the same on both. An embedded file has one owner for a process's life.
  const command = engine === 'sqlite' ? users : usersHere;
  const run = (line: string, input?: string) =>
    command(line.split(' '), { folder, env, ...(input === undefined ? {} : { input }) });
  const succeed = async (line: string, input?: string) => {
    const { code, stdout, stderr } = await run(line, input);
    expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' });
    return stdout;
  };
  const fail = async (line: string, message: string, input?: string) => {
    const { code, stdout, stderr } = await run(line, input);
    expect({ line, code, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
      line,
      code: 1,
      stdout: '',
      lines: 1,
    });
    expect(stderr).toContain(message);
  };

  it('makes the first administrator before the server has ever run, and the server lets them in', async () => {
    const [, generated = ''] = GENERATED.exec(await succeed('create Belka --role admin --role ops')) ?? [];
    const told = await succeed('create strelka --password-stdin', ' space corgi \n');
    expect(told).not.toMatch(/password|corgi/i);

    const server = await start({ folder, env });
    const { body } = await login(server, 'belka', generated);
    const sessions = await server.request<object[]>('GET', '/auth/sessions', { token: body.access_token });
    expect(sessions.body).toHaveLength(1);
    const strelka = await login(server, 'strelka', ' space corgi ');
    expect(strelka.status).toBe(200);
    const id = JSON.parse(
      Buffer.from(strelka.body.access_token.split('.')[1] ?? '', 'base64url').toString(),
    ).sub;
    const token = body.access_token;
    expect(await server.request('DELETE', `/admin/users/${id}/sessions`, { token })).toMatchObject({
      status: 204,
    });
    await server.stop();
  });

  it('grants, revokes, disables, enables, resets and lists', async () => {
    await succeed('create veterok --password-stdin', 'space-corgi\n');
    expect(await succeed('grant veterok ops:read')).toContain('ops:read');
    expect(await succeed('disable veterok')).toContain('disabled');
    expect(await succeed('list')).toMatch(
      /^[\w-]{36} {2}veterok +ops:read +\d{4}-\d\d-\d\dT\S+Z +\d{4}-\d\d-\d\dT\S+Z$/m,
    );
    await succeed('enable veterok');
    await succeed('revoke veterok ops:read');
    expect(await succeed('list')).toMatch(/^[\w-]{36} {2}veterok +- +- +\d{4}-/m);
    const [, generated = ''] = GENERATED.exec(await succeed('reset-password veterok')) ?? [];

    const server = await start({ folder, env });
    expect(await login(server, 'veterok', 'space-corgi')).toMatchObject({ status: 401 });
    expect(await login(server, 'veterok', generated)).toMatchObject({ status: 200 });
    await server.stop();
  });

  it('imports a file or its standard input, names wrong lines, and the server verifies the foreign hash', async () => {
    const hash = '$2y$04$uB/rmHy2eJm/RHnXESEPmecgG0XcEPqN/oOwpvba.cCv6iJMum9Ae';
    const lines = [{ username: 'mushka', password_hash: hash }, { username: 'x' }, { username: 'pchyolka' }];
    const text = lines.map((line) => JSON.stringify(line)).join('\n');
    const path = join(folder, 'users.jsonl');
    writeFileSync(path, text);
    expect(await run(`import ${path}`)).toEqual({
      code: 1,
      stdout: 'Imported 2 accounts; refused 1 line.\n',
      stderr: 'line 2: username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen\n',
    });
    expect(await succeed('import -', '{"username": "damka"}')).toBe('Imported 1 account.\n');
    await fail('import nothing-there.jsonl', 'nothing-there.jsonl cannot be read: ENOENT');
    await fail('import .', '. is a folder');
    await fail('import', 'Expected: import FILE');

    const server = await start({ folder, env });
    expect(await login(server, 'mushka', 'space-corgi')).toMatchObject({ status: 200 });
    expect(await login(server, 'damka', '!')).toMatchObject({ status: 401 });
    await server.stop();
  });

  it('says what is wrong in one line, and shows no stack', async () => {
    await succeed('create ugolyok');
    await fail('create ugolyok', 'The username ugolyok is taken; choose another');
    await fail(
      'disable nobody-there',
      'There is no account named nobody-there; `npm run users -- list` shows all',
    );
    await fail('grant ugolyok Admin', 'is not 1 to 64 of a-z');
    await fail('revoke ugolyok admin', 'does not have the role admin');
    await fail('create x', 'username must be 3 to 32');
    await fail('create xyz --password-stdin', 'password must be longer than or equal to 8', 'short\n');
    await fail('create xyz --password-stdin', 'no password on the standard input', '');
    await fail('create xyz space-corgi', 'Expected: create NAME (--help shows');
    await fail('explode', 'There is no command explode');
    expect(await succeed('--help')).toContain('reset-password NAME');
  });
});

describe('npm run users, wrongly set', () => {
  const folder = makeFolder();

  it('says which setting is wrong, as the server does', async () => {
    const wrong = { folder, env: { PORT: 'http' } };
    expect(await users(['list'], wrong)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'Invalid configuration; freshgate did not start:\n  PORT: must be a whole number from 0 to 65535 (it is "http")\n',
    });
    const nowhere = { folder, env: { DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none' } };
    const { code, stderr } = await users(['list'], nowhere);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The database cannot be reached: .*\n$/);
    expect(stderr).not.toContain('hunter2');
    const memory = await users(['create', 'zvezdochka'], { folder, env: { DATABASE_URL: ':memory:' } });
    expect(memory).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('lost when this command ends'),
    });
  });
});

describe('npm run users, beside a server on SQLite', () => {
  it('says that the server is running, and what to do', async () => {
    const server = await start();
    const { code, stdout, stderr } = await users(['list'], { folder: server.folder });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^The database is in use.*stop the server.*\/admin\/users\/.*PostgreSQL.*\n$/);
    await server.stop();
    expect(await users(['list'], { folder: server.folder })).toMatchObject({ code: 0 });
  });
});

describePostgres('npm run users, beside a server on PostgreSQL', () => {
  it.each(['disable', 'reset-password'])(
    '%s: the running server refuses the user’s tokens',
    async (command) => {
      const database = await createTestDatabase('postgres');
      try {
        const env = { DATABASE_URL: database.url };
        const server = await start({ env });
        const body = { username: 'laika', password: 'space-corgi' };
        await server.request('POST', '/auth/register', { body });
        const { body: pair } = await login(server, 'laika', 'space-corgi');
        const profile = () => server.request('GET', '/profile', { token: pair.access_token });
        expect(await profile()).toMatchObject({ status: 200 });
        expect(await users([command, 'laika'], { folder: server.folder, env })).toMatchObject({ code: 0 });
        // What a notification takes; an ordinary route reads no row.
        for (let i = 0; i < 100 && (await profile()).status === 200; i++) await delay(10);
        expect(await profile()).toMatchObject({ status: 401, body: { errorCode: 'token_revoked' } });
        expect(await login(server, 'laika', 'space-corgi')).toMatchObject({
          status: 401,
          body: { errorCode: 'invalid_credentials' },
        });
        expect(await server.request('POST', '/auth/refresh', { token: pair.refresh_token })).toMatchObject({
          status: 401,
        });
        await server.stop();
      } finally {
        await database.drop();
      }
    },
  );
});
