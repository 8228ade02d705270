import { describe, expect, it } from '@jest/globals';
import { decode, type Jwt } from 'jsonwebtoken';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type TokenPairDto } from '../../../src/auth/dto/token-pair.dto.js';
import { generateKey, generateKeySet } from '../../../src/keys/key-file.js';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';
import { keys } from './command.js';

const MEMORY = { DATABASE_URL: ':memory:' };
const ACCOUNT = { username: 'laika', password: 'space-corgi' };
/** Milliseconds: the file is looked at every two seconds, by a machine that may have much else to do. */
const SOON = 60_000;

async function until(what: string, test: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + SOON;
  while (!(await test())) {
    if (performance.now() > deadline) throw new Error(`not within ${SOON} ms: ${what}`);
    await sleep(50);
  }
}

async function login(server: ServerProcess): Promise<TokenPairDto> {
  const answer = await server.request<TokenPairDto>('POST', '/auth/login', { body: ACCOUNT });
  expect(answer.status).toBe(200);
  return answer.body;
}

async function startWithAccount(options: Parameters<typeof start>[0] = {}): Promise<ServerProcess> {
  const server = await start({ ...options, env: { ...MEMORY, ...options.env } });
  await server.request('POST', '/auth/register', { body: ACCOUNT });
  return server;
}

const kidOf = (token: string) => String((decode(token, { complete: true }) as Jwt).header.kid);
const shownKids = async (server: ServerProcess) => {
  const { body } = await server.request<{ keys: { kid: string }[] }>('GET', '/.well-known/jwks.json');
  return body.keys.map(({ kid }) => kid);
};
const statusOf = async (server: ServerProcess, token: string) =>
  (await server.request('GET', '/profile', { token })).status;

describe('a running server', () => {
  it('takes a rotation over while requests run: none fails, and the new key is shown before it signs', async () => {
    const server = await startWithAccount();
    let pair = await login(server);
    const first = pair;
    const over = new AbortController();
    const failures: number[] = [];
    let count = 0;
    const client = async () => {
      while (!over.signal.aborted) {
        const status = await statusOf(server, first.access_token);
        if (status !== 200) failures.push(status);
        count++;
      }
    };
    const refreshing = async () => {
      // Fewer than the limit on one session lets through in a minute.
      for (let left = 50; left > 0 && !over.signal.aborted; left--) {
        const answer = await server.request<TokenPairDto>('POST', '/auth/refresh', {
          token: pair.refresh_token,
        });
        if (answer.status === 200) pair = answer.body;
        else failures.push(answer.status);
        count++;
        await sleep(100);
      }
    };
    const clients = [client(), client(), refreshing()];
    expect(await keys(server.folder, ['rotate'])).toMatchObject({ code: 0 });
    await until('the new key is shown', async () => (await shownKids(server)).length === 2);
    await sleep(200);
    over.abort();
    await Promise.all(clients);
    expect({ failures, enough: count > 50 }).toEqual({ failures: [], enough: true });
    expect(kidOf(pair.access_token)).toBe(kidOf(first.access_token));
    expect(await statusOf(server, pair.access_token)).toBe(200);
    expect(server.output).not.toMatch(/ (WARN|ERROR) /);
    await server.stop();
  });

  it('refuses the tokens of a compromised key within seconds, and all users can log in again', async () => {
    const server = await startWithAccount();
    const { access_token: access, refresh_token: refresh } = await login(server);

    expect((await keys(server.folder, ['retire', kidOf(access), '--now'])).code).toBe(0);
    await until('its access tokens are refused', async () => (await statusOf(server, access)) === 401);
    const renewed = await server.request<TokenPairDto>('POST', '/auth/refresh', { token: refresh });
    expect(renewed.status).toBe(200);
    expect(await statusOf(server, renewed.body.access_token)).toBe(200);

    expect((await keys(server.folder, ['retire', kidOf(refresh), '--now'])).code).toBe(0);
    const tryRefresh = () => server.request('POST', '/auth/refresh', { token: renewed.body.refresh_token });
    // Each success would be a rotation; what is asked here is only whether the token is read.
    await until('its refresh tokens are refused', async () =>
      server.output.includes(`removed ${kidOf(refresh)}`),
    );
    expect(await tryRefresh()).toMatchObject({ status: 401, body: { errorCode: 'token_invalid' } });
    const again = await login(server);
    expect(await server.request('POST', '/auth/refresh', { token: again.refresh_token })).toMatchObject({
      status: 200,
    });
    expect(kidOf(again.refresh_token)).not.toBe(kidOf(refresh));
    await server.stop();
  });

  it('goes on with the keys that it has while the file is broken or gone, and says so once each', async () => {
    const server = await startWithAccount();
    const file = join(server.folder, 'data/keys.json');
    const good = readFileSync(file, 'utf8');
    const { access_token: access } = await login(server);
    const told = (text: string) => server.output.split(text).length - 1;

    writeFileSync(file, good.slice(0, -20));
    await until('a broken file is told', () => told('is not JSON') > 0);
    renameSync(file, `${file}.away`);
    await until('a missing file is told', () => told('ENOENT') > 0);
    expect(await statusOf(server, access)).toBe(200);
    await login(server);
    // Two more looks at the same.
    await sleep(4_500);
    expect([told('is not JSON'), told('ENOENT')]).toEqual([1, 1]);
    expect(told('keys not reloaded, the loaded ones stay')).toBe(2);

    const extra = generateKey('access', 'ES256');
    writeFileSync(file, JSON.stringify({ keys: [...(JSON.parse(good) as { keys: object[] }).keys, extra] }));
    await until('a mended file is read', async () => (await shownKids(server)).includes(extra.kid));
    const secrets = [...good.matchAll(/"[dk]": "([^"]+)"/g)].map(([, secret]) => String(secret));
    expect(secrets).toHaveLength(3);
    for (const secret of [...secrets, String(extra.d)]) expect(server.output).not.toContain(secret);
    await server.stop();
  });

  it('follows a link that comes to lead elsewhere, as with a Kubernetes secret', async () => {
    const folder = makeFolder();
    const place = (name: string) => {
      const set = generateKeySet();
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'keys.json'), JSON.stringify(set));
      return set.keys[0]!.kid;
    };
    const before = place('..1');
    symlinkSync('..1', join(folder, '..data'));
    symlinkSync('..data/keys.json', join(folder, 'keys.json'));
    const server = await start({ folder, env: { ...MEMORY, AUTH_KEYS_FILE: './keys.json' } });
    expect(await shownKids(server)).toEqual([before]);
    const after = place('..2');
    symlinkSync('..2', join(folder, '..new'));
    renameSync(join(folder, '..new'), join(folder, '..data'));
    rmSync(join(folder, '..1'), { recursive: true });
    await until('the new keys are shown', async () => (await shownKids(server)).includes(after));
    expect(await shownKids(server)).toEqual([after]);
    await server.stop();
  });

  it('takes keys that its own clock has not reached once it has', async () => {
    const server = await start({ env: MEMORY });
    const file = join(server.folder, 'data/keys.json');
    const set = generateKeySet();
    // As another machine, ahead by some seconds, writes them after a compromise.
    const signs_from = Math.floor(Date.now() / 1000) + 10;
    writeFileSync(file, JSON.stringify({ keys: set.keys.map((key) => ({ ...key, signs_from })) }));
    await until('they are refused', () => server.output.includes('signs now'));
    await until('they are taken', async () => (await shownKids(server)).includes(set.keys[0]!.kid));
    await server.stop();
  });
});
