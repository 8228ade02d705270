import { describe, expect, it } from '@jest/globals';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { freePort } from '../../support/free-port.mjs';
import { builtFile, launch, makeFolder, type ServerProcess, start } from '../../support/server-process.js';
import { until } from '../../support/until.js';

const MEMORY = { DATABASE_URL: ':memory:' };
const ACCOUNT = { username: 'laika', password: 'space-corgi' };

const canUnshare = spawnSync('unshare', ['--pid', '--fork', 'true']).status === 0;
if (!canUnshare) process.stderr.write('\n!!! The tests of process 1 were SKIPPED: unshare needs root\n');

const seen = (server: ServerProcess, text: string) => until(20_000, async () => server.output.includes(text));

describe('a signal during the start', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('ends the process: %s', async (signal) => {
    const server = launch({ env: MEMORY });
    await seen(server, 'Starting Nest application');
    expect(await server.stop(signal)).toEqual({ code: null, signal });
    expect(server.output).not.toContain('listening');
  });

  (canUnshare ? it : it.skip).each(['Starting Nest application', 'listening on'])(
    'ends process 1, as in a container: after "%s"',
    async (moment) => {
      const server = launch({ env: MEMORY, prefix: ['unshare', '--pid', '--fork', '--kill-child'] });
      await seen(server, moment);
      const children = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8');
      process.kill(Number(children.trim()), 'SIGTERM');
      expect(await server.exit).toEqual({ code: 143, signal: null });
    },
  );
});

describe('SHUTDOWN_DRAIN', () => {
  it('is how long the server goes on, not ready, before it closes', async () => {
    const server = await start({ env: { ...MEMORY, SHUTDOWN_DRAIN: '2s' } });
    await server.request('POST', '/auth/register', { body: ACCOUNT });
    const began = performance.now();
    const end = server.stop();
    await until(1_000, async () => (await server.request('GET', '/health/ready')).status === 503);
    expect((await server.request('GET', '/health/ready')).body).toMatchObject({
      error: { shutdown: { status: 'down' } },
    });
    expect((await server.request('POST', '/auth/login', { body: ACCOUNT })).status).toBe(200);
    expect((await server.request('GET', '/health/live')).status).toBe(200);
    expect(await end).toEqual({ code: null, signal: 'SIGTERM' });
    expect(performance.now() - began).toBeGreaterThan(1_900);
  });
});

describe('a log that is not read', () => {
  it('stops neither the server nor its end', async () => {
    const port = await freePort();
    const { PATH = '', HOME = '' } = process.env;
    const child = spawn(process.execPath, [builtFile('main.js')], {
      cwd: makeFolder(),
      env: { PATH, HOME, ...MEMORY, PORT: String(port), SHUTDOWN_DRAIN: '0s' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const get = (path: string) =>
        fetch(`http://127.0.0.1:${port}${path}`, { signal: AbortSignal.timeout(2_000) });
      await until(20_000, async () =>
        get('/health/live').then(
          ({ ok }) => ok,
          () => false,
        ),
      );
      // About 500 bytes a line; the system holds some 200 kB.
      const path = `/${'x'.repeat(200)}`;
      for (let i = 0; i < 1_500; i++) expect((await get(path)).status).toBe(404);
      expect((await get('/health/live')).status).toBe(200);
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      expect(await exit).toEqual([null, 'SIGTERM']);
    } finally {
      child.kill('SIGKILL');
    }
  });
});
