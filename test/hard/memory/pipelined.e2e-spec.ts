import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { DEFAULTS, type ServerProcess, start } from '../../support/server-process.js';

const MB = 1024 * 1024;
const COUNT = 400;
/** Bytes that may outlive a connection: caches that fill up, and compiled code. */
const MAX_LEFT = 2 * MB;
/** Bytes while the client does not read: the answers in progress, in the largest case the document four times. */
const MAX_HELD = 8 * MB;
/** Milliseconds after which the server has handled all that it will handle. */
const SETTLED = 400;

const BODY = '{"username":"cosmo","password":"space-corgi"}';
const LOGIN = `POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;

const REQUESTS: [name: string, text: string][] = [
  ['GET /docs', get('/docs')],
  ['GET /openapi.json', get('/openapi.json')],
  ['GET /health/live', get('/health/live')],
  ['GET /.well-known/jwks.json', get('/.well-known/jwks.json')],
  ['POST /auth/login', LOGIN],
  ['an unknown path', get('/nope')],
];

interface Reading {
  /** Bytes in use after a garbage collection. */
  memory: number;
  /** Milliseconds of CPU since the start, before the collection and after it. */
  cpu: number;
  cpuAfter: number;
}

describe('requests without a credential', () => {
  let server: ServerProcess;
  beforeAll(async () => {
    const probe = pathToFileURL(join(import.meta.dirname, 'probe.mjs')).href;
    server = await start({
      env: { ...DEFAULTS, DATABASE_URL: ':memory:', NODE_OPTIONS: `--import ${probe}` },
    });
    // Things that are created once and kept are not the cost of a request: the document, caches, compiled code.
    for (const [, text] of REQUESTS) for (let i = 0; i < 3; i++) (await unread(text)).destroy();
    for (const [, text] of REQUESTS) await read(text, 30);
  });
  afterAll(() => server.stop());

  async function reading(): Promise<Reading> {
    const readings = () => [...server.errors.matchAll(/^PROBE (\d+) (\d+) (\d+)$/gm)];
    const before = readings().length;
    process.kill(server.pid, 'SIGWINCH');
    while (readings().length === before) await delay(10);
    const [memory = 0, cpu = 0, cpuAfter = 0] = readings().at(-1)?.slice(1).map(Number) ?? [];
    return { memory, cpu: cpu / 1_000, cpuAfter: cpuAfter / 1_000 };
  }

  async function unread(text: string, count = COUNT) {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write(text.repeat(count));
    await delay(SETTLED);
    return socket;
  }

  /** One after another, each answer read. */
  async function read(text: string, times: number): Promise<void> {
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    for (let i = 0; i < times; i++) {
      socket.write(text);
      await once(socket, 'data');
      await delay(5);
    }
    socket.destroy();
  }

  it.each(REQUESTS.flatMap(([name, text]) => [COUNT, 20].map((count) => [count, name, text] as const)))(
    'keep less than 2 MB, %d in one packet, with a client that does not read: %s',
    async (count, name, text) => {
      const before = await reading();
      const socket = await unread(text, count);
      const open = await reading();
      socket.destroy();
      await delay(SETTLED);
      const after = await reading();
      const [held, left] = [open.memory - before.memory, after.memory - before.memory];
      process.stdout.write(
        `  ${count} × ${name}: ${(held / MB).toFixed(2)} MB while open, ${(left / MB).toFixed(2)} MB after, ${(open.cpu - before.cpuAfter).toFixed(0)} ms of CPU\n`,
      );
      expect(held).toBeLessThan(MAX_HELD);
      expect(left).toBeLessThan(MAX_LEFT);
    },
  );

  it.each(REQUESTS)('keep less than 2 MB, 200 one after another: %s', async (_, text) => {
    const before = await reading();
    await read(text, 200);
    await delay(SETTLED);
    expect((await reading()).memory - before.memory).toBeLessThan(MAX_LEFT);
  });
});
