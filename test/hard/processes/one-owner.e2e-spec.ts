import { beforeAll, describe, expect, it } from '@jest/globals';
import { type ChildProcess, fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { createTestDatabase, describePostgres } from '../../support/engines.js';
import {
  builtFile,
  launch,
  type LaunchOptions,
  makeFolder,
  type ServerProcess,
  start,
} from '../../support/server-process.js';

const IN_USE = /^ {2}DATABASE_URL: .*freshgate\.db is in use by another process/m;

/** Several processes, begun at one moment. */
async function startTogether(count: number, options: LaunchOptions): Promise<ServerProcess[]> {
  return Promise.all(Array.from({ length: count }, () => start(options)));
}

async function login(server: ServerProcess): Promise<TokenPairDto> {
  const body = { username: `user-${randomUUID().slice(0, 8)}`, password: 'space-corgi' };
  expect(await server.request('POST', '/auth/register', { body })).toMatchObject({ status: 201 });
  const answer = await server.request<TokenPairDto>('POST', '/auth/login', { body });
  expect(answer).toMatchObject({ status: 200 });
  return answer.body;
}

async function publicKeys(server: ServerProcess): Promise<unknown> {
  return (await server.request('GET', '/.well-known/jwks.json')).body;
}

/** Opens the database whose URL it is sent, and says what became of it. */
const OPENER = `
  import { openDatabase } from ${JSON.stringify(pathToFileURL(builtFile('database/index.js')).href)};
  const handles = [];
  process.on('message', async (url) => {
    const handle = openDatabase(url);
    handles.push(handle);
    try {
      await handle.ping();
      process.send('owner');
    } catch (error) {
      process.send(error.message);
    }
  });
  process.send('ready');
`;

describe('an SQLite file', () => {
  let owner: ServerProcess;
  beforeAll(async () => {
    owner = await start();
  });

  it('has one owner: a second process says that it is in use, and the first goes on', async () => {
    const second = launch({ folder: owner.folder });
    expect(await second.exit).toEqual({ code: 1, signal: null });
    expect(second.errors).toMatch(IN_USE);
    expect(second.errors).not.toMatch(/^\s+at .*:\d+/m);
    await login(owner);
  });

  it('is free at once when its owner was killed with -9', async () => {
    const { refresh_token: token } = await login(owner);
    await owner.kill9();
    const next = await start({ folder: owner.folder });
    expect(await next.request('POST', '/auth/refresh', { token })).toMatchObject({ status: 200 });
    await next.stop();
  });

  it('goes to exactly one of three processes that open it at the same moment', async () => {
    const folder = makeFolder();
    const openers = [1, 2, 3].map(() =>
      fork('', { cwd: folder, execArgv: ['--input-type=module', '--eval', OPENER] }),
    );
    const said = async (opener: ChildProcess) => String((await once(opener, 'message'))[0]);
    try {
      await Promise.all(openers.map(said));
      for (const round of Array(5).keys()) {
        const answers = openers.map(said);
        for (const opener of openers) opener.send(`file:./${round}.db`);
        const outcomes = await Promise.all(answers);
        expect(outcomes.filter((outcome) => outcome === 'owner')).toHaveLength(1);
        expect(outcomes.filter((outcome) => outcome.includes('in use by another process'))).toHaveLength(2);
      }
    } finally {
      for (const opener of openers) opener.kill('SIGKILL');
    }
  });
});

describe('a key file that does not exist yet', () => {
  it('is made once by three processes that start at the same moment', async () => {
    const folder = makeFolder();
    const servers = await startTogether(3, { folder, env: { DATABASE_URL: ':memory:' } });
    const [first, ...others] = await Promise.all(servers.map(publicKeys));
    for (const other of others) expect(other).toEqual(first);
    // Their databases differ: one that knows the key misses the session only.
    const { refresh_token: token } = await login(servers[0]!);
    for (const other of servers.slice(1)) {
      expect(await other.request('POST', '/auth/refresh', { token })).toMatchObject({
        status: 401,
        body: { errorCode: 'token_revoked' },
      });
    }
    expect(readdirSync(join(folder, 'data'))).toEqual(['keys.json']);
    await Promise.all(servers.map((server) => server.stop()));
  });
});

describePostgres('an empty PostgreSQL database [postgres]', () => {
  it('is migrated once by three processes that start at the same moment, and serves them all', async () => {
    const database = await createTestDatabase('postgres');
    try {
      const env = { DATABASE_URL: database.url };
      const servers = await startTogether(3, { folder: makeFolder(), env });
      const migrated = servers.filter(({ output }) => output.includes('migrated: '));
      expect(migrated).toHaveLength(1);
      for (const server of servers) expect(server.errors).toBe('');

      // A session wanders: each process refreshes what the one before it issued.
      for (const issuer of servers) {
        let { refresh_token: token } = await login(issuer);
        for (const server of [...servers, issuer]) {
          const answer = await server.request<TokenPairDto>('POST', '/auth/refresh', { token });
          expect(answer).toMatchObject({ status: 200 });
          token = answer.body.refresh_token;
          const profile = await servers[0]!.request('GET', '/profile', { token: answer.body.access_token });
          expect(profile).toMatchObject({ status: 200 });
        }
      }
      await Promise.all(servers.map((server) => server.stop()));
    } finally {
      await database.drop();
    }
  });
});
