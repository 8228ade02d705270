import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { portOf } from '../support/raw-http.js';

const MB = 1024 * 1024;
const COUNT = 400;

const BODY = '{"username":"cosmo","password":"space-corgi"}';
const REQUESTS: [name: string, text: string][] = [
  ['pages', 'GET /docs HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['documents', 'GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['probes', 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['unknown paths', 'GET /nope HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['requests without a host', 'GET /health/live HTTP/1.1\r\n\r\n'],
  [
    'logins',
    `POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`,
  ],
];

describe('requests that are pipelined', () => {
  let api: TestApp;
  let port: number;
  const sockets: Socket[] = [];
  beforeAll(async () => {
    api = await createTestApp({ adapter: 'fastify', env: { OPENAPI: 'on' } });
    port = portOf(api.app);
    // Things that the first request of a kind creates are not the cost of the next one.
    for (const path of ['/docs', '/openapi.json', '/health/live', '/nope']) await api.request('GET', path);
  });
  afterAll(async () => {
    for (const socket of sockets) socket.destroy();
    await api.close();
  });

  const open = async (): Promise<Socket> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };

  it.each(REQUESTS)(
    `#88 ${COUNT} in one packet are not all in progress at once if the client does not read: %s`,
    async (_name, text) => {
      const before = process.memoryUsage();
      const socket = await open();
      socket.pause();
      socket.write(text.repeat(COUNT));
      const asked = performance.now();
      await api.request('GET', '/health/live').expect(200);
      expect(performance.now() - asked).toBeLessThan(1_000);
      await delay(300);
      globalThis.gc?.();
      const after = process.memoryUsage();
      // The whole process, with its client and without a collection on demand; at 1.9 GB it was answered for all of them.
      expect(after.rss - before.rss).toBeLessThan(64 * MB);
      socket.destroy();
    },
  );

  it('are all answered, in their order, where a client reads and sends no more than 20', async () => {
    const socket = await open();
    let text = '';
    socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
    const ids = Array.from({ length: 20 }, (_, i) => `id-${i}`);
    socket.write(
      ids.map((id) => `GET /health/live HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\n\r\n`).join(''),
    );
    const deadline = performance.now() + 5_000;
    while (!text.includes('id-19') && performance.now() < deadline) await delay(20);
    expect([...text.matchAll(/x-request-id: (id-\d+)/gi)].map(([, id]) => id)).toEqual(ids);
  });

  it('are limited by the unanswered requests, not by the total of a connection', async () => {
    const socket = await open();
    for (let i = 0; i < 200; i++) {
      socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
      const [answer] = (await once(socket, 'data')) as [Buffer];
      expect(answer.toString()).toMatch(/^HTTP\/1.1 200/);
    }
  });

  it('end with the connection when there are more', async () => {
    const socket = await open();
    socket.resume();
    socket.write('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(COUNT));
    await once(socket, 'close');
    await api.request('GET', '/health/live').expect(200);
  });
});
