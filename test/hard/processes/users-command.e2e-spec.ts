import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../../support/engines.js';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';
import { type CommandResult, users, usersHere } from '../../support/users-command.js';

/*
 * What the commands do and say is tried inside this process, where each takes a tenth of the time; what a process adds
 * (exit code, standard input and output, the lock of an SQLite file) by a few that are processes.
 */

const GENERATED = /^Password, shown this once: ([\w-]{20})$/m;
const FOREIGN_HASH = '$2y$04$uB/rmHy2eJm/RHnXESEPmecgG0XcEPqN/oOwpvba.cCv6iJMum9Ae';

async function login(server: ServerProcess, username: string, password: string) {
  return server.request<TokenPairDto & { errorCode?: string }>('POST', '/auth/login', {
    body: { username, password },
  });
}

function expectFailure(line: string, { code, stdout, stderr }: CommandResult, message: string): void {
  expect({ line, code, stdout, lines: stderr.trimEnd().split('\n').length }).toEqual({
    line,
    code: 1,
    stdout: '',
    lines: 1,
  });
  expect(stderr).toContain(message);
}

describe('npm run users, as processes on SQLite', () => {
  const folder = makeFolder();
  const run = (line: string, input = '') => users(line.split(' '), { folder, input });

  it('makes the first administrator before the server has ever run, and the server lets them in', async () => {
    const created = await run('create Belka --role admin --role ops');
    expect(created).toMatchObject({ code: 0, stderr: '' });
    const [, generated = ''] = GENERATED.exec(created.stdout) ?? [];
    const told = await run('create strelka --password-stdin', ' space corgi \n');
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(told.stdout).not.toMatch(/password|corgi/i);

    const server = await start({ folder });
    const { body } = await login(server, 'belka', generated);
    const sessions = await server.request<object[]>('GET', '/auth/sessions', { token: body.access_token });
    expect(sessions.body).toHaveLength(1);
    const strelka = await login(server, 'strelka', ' space corgi ');
    expect(strelka.status).toBe(200);
    const { sub: id } = decode(strelka.body.access_token) as { sub: string };
    const token = body.access_token;
    expect(await server.request('DELETE', `/admin/users/${id}/sessions`, { token })).toMatchObject({
      status: 204,
    });
    await server.stop();
  });

  it('ends with 1 where something went wrong, and says what on stderr', async () => {
    const taken = 'create strelka';
    expectFailure(taken, await run(taken), 'The username strelka is taken; choose another');
    const lines = [{ username: 'mushka', password_hash: FOREIGN_HASH }, { username: 'x' }];
    expect(await run('import -', lines.map((line) => JSON.stringify(line)).join('\n'))).toEqual({
      code: 1,
      stdout: 'Imported 1 account; refused 1 line.\n',
      stderr: 'line 2: username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen\n',
    });
  });
});

describePostgres('npm run users', () => {
  const folder = makeFolder();
  let database: TestDatabase;
  let server: TestApp;
  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    server = await createTestApp({ database });
  });
  afterAll(async () => {
    await server.close();
    await database.drop();
  });

  const run = (line: string, input?: string) =>
    usersHere(line.split(' '), {
      folder,
      env: { DATABASE_URL: database.url },
      ...(input === undefined ? {} : { input }),
    });
  const succeed = async (line: string, input?: string) => {
    const { code, stdout, stderr } = await run(line, input);
    expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: '' });
    return stdout;
  };
  const fail = async (line: string, message: string, input?: string) =>
    expectFailure(line, await run(line, input), message);
  const statusOfLogin = async (username: string, password: string) =>
    (await server.request('POST', '/auth/login').send({ username, password })).status;

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

    expect(await statusOfLogin('veterok', 'space-corgi')).toBe(401);
    expect(await statusOfLogin('veterok', generated)).toBe(200);
  });

  it('imports a file or its standard input, names wrong lines, and the server verifies the foreign hash', async () => {
    const lines = [
      { username: 'mushka', password_hash: FOREIGN_HASH },
      { username: 'x' },
      { username: 'pchyolka' },
    ];
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

    expect(await statusOfLogin('mushka', 'space-corgi')).toBe(200);
    expect(await statusOfLogin('damka', '!')).toBe(401);
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
    expect(await usersHere(['list'], wrong)).toEqual({
      code: 1,
      stdout: '',
      stderr:
        'Invalid configuration; freshgate did not start:\n  PORT: must be a whole number from 0 to 65535 (it is "http")\n',
    });
    const nowhere = { folder, env: { DATABASE_URL: 'postgres://nobody:hunter2@127.0.0.1:1/none' } };
    const { code, stderr } = await usersHere(['list'], nowhere);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^The database cannot be reached: .*\n$/);
    expect(stderr).not.toContain('hunter2');
    const memory = await usersHere(['create', 'zvezdochka'], { folder, env: { DATABASE_URL: ':memory:' } });
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
  let database: TestDatabase;
  let server: ServerProcess;
  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    server = await start({ env: { DATABASE_URL: database.url } });
  });
  afterAll(async () => {
    await server.stop();
    await database.drop();
  });

  it.each(['disable', 'reset-password'])(
    '%s: the running server refuses the user’s tokens',
    async (command) => {
      const body = { username: `of-${command}`, password: 'space-corgi' };
      await server.request('POST', '/auth/register', { body });
      const { body: pair } = await login(server, body.username, 'space-corgi');
      const profile = () => server.request('GET', '/profile', { token: pair.access_token });
      expect(await profile()).toMatchObject({ status: 200 });
      const env = { DATABASE_URL: database.url };
      expect(await usersHere([command, body.username], { folder: makeFolder(), env })).toMatchObject({
        code: 0,
      });
      // What a notification takes; an ordinary route reads no row.
      for (let i = 0; i < 100 && (await profile()).status === 200; i++) await delay(10);
      expect(await profile()).toMatchObject({ status: 401, body: { errorCode: 'token_revoked' } });
      expect(await login(server, body.username, 'space-corgi')).toMatchObject({
        status: 401,
        body: { errorCode: 'invalid_credentials' },
      });
      expect(await server.request('POST', '/auth/refresh', { token: pair.refresh_token })).toMatchObject({
        status: 401,
      });
    },
  );
});
