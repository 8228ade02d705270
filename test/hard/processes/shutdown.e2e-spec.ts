import { expect, it } from '@jest/globals';
import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createTestDatabase, describeEachEngine, type TestDatabase } from '../../support/engines.js';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';

/** What a service manager grants before it kills. */
const GRACE = 10_000;
const ACCOUNT = { username: 'laika', password: 'space-corgi' };
const JSON_BODY = JSON.stringify(ACCOUNT);

/** A connection on which the test decides when each byte is sent. */
class RawConnection {
  received = '';

  private constructor(private readonly socket: Socket) {
    socket.setEncoding('utf8').on('data', (text: string) => (this.received += text));
  }

  static async to(server: ServerProcess): Promise<RawConnection> {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  /** Sends the head of a request, and waits until the server has read it: from then on it owes an answer. */
  async beginPost(path: string): Promise<void> {
    const head = [
      `POST ${path} HTTP/1.1`,
      'Host: freshgate',
      'Content-Type: application/json',
      `Content-Length: ${JSON_BODY.length}`,
      'Expect: 100-continue',
    ];
    this.send(`${head.join('\r\n')}\r\n\r\n`);
    await this.receive('100 Continue');
  }

  send(text: string): void {
    this.socket.write(text);
  }

  async receive(text: string): Promise<void> {
    while (!this.received.includes(text)) await once(this.socket, 'data');
  }

  async closed(): Promise<void> {
    if (!this.socket.closed) await once(this.socket, 'close');
  }
}

async function accepts(server: ServerProcess): Promise<boolean> {
  const { hostname, port } = new URL(server.url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** It ends by the signal itself, sent again when all is in order: so a shell or a service manager sees why. */
async function expectOrderlyEnd(server: ServerProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const began = performance.now();
  expect(await server.stop(signal)).toEqual({ code: null, signal });
  expect(performance.now() - began).toBeLessThan(GRACE);
  expect(server.errors).toBe('');
}

describeEachEngine('shutdown', (engine) => {
  async function withDatabase(work: (env: Record<string, string>) => Promise<void>): Promise<void> {
    const database: TestDatabase | undefined =
      engine === 'sqlite' ? undefined : await createTestDatabase(engine);
    try {
      await work(database ? { DATABASE_URL: database.url } : {});
    } finally {
      await database?.drop();
    }
  }

  it('waits for a request that has begun to arrive, answers it, and keeps what it did', async () => {
    await withDatabase(async (env) => {
      const folder = makeFolder();
      const server = await start({ folder, env });
      const idle = await RawConnection.to(server);
      idle.send('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n');
      await idle.receive('"ok"');

      const busy = await RawConnection.to(server);
      await busy.beginPost('/auth/register');
      const end = expectOrderlyEnd(server);
      // Shutting down begins with the connections that nothing happens on.
      await idle.closed();
      busy.send(JSON_BODY);
      await busy.closed();
      expect(busy.received).toMatch(/^HTTP\/1\.1 201 Created\r\n/m);
      expect(busy.received).toContain('"username":"laika"');
      await end;

      const next = await start({ folder, env });
      expect(await next.request('POST', '/auth/login', { body: ACCOUNT })).toMatchObject({ status: 200 });
      await next.stop();
    });
  });

  it('refuses what comes later, in the shape of every error, and takes no new connection', async () => {
    await withDatabase(async (env) => {
      const server = await start({ env });
      const paths = ['/profile', '/health/ready', '/nope'];
      const late = await Promise.all(paths.map(() => RawConnection.to(server)));
      const busy = await RawConnection.to(server);
      await busy.beginPost('/auth/register');
      // Half a head: connections that are not idle, and requests that do not exist yet.
      for (const [i, connection] of late.entries())
        connection.send(`GET ${paths[i]} HTTP/1.1\r\nHost: x\r\n`);
      await server.request('GET', '/health/live');
      const end = expectOrderlyEnd(server);
      while (await accepts(server)) await delay(10);
      for (const connection of late) connection.send('X-Request-Id: late-1\r\n\r\n');
      await Promise.all(late.map((connection) => connection.closed()));
      for (const { received } of late) {
        expect(received).toMatch(/^HTTP\/1\.1 503 Service Unavailable\r\n/);
        expect(received).toMatch(/^retry-after: \d+\r$/im);
        expect(received).toMatch(/^x-request-id: late-1\r$/im);
        expect(received).toMatch(/^connection: close\r$/im);
        expect(received).toMatch(/^x-content-type-options: nosniff\r$/im);
        expect(JSON.parse(received.split('\r\n\r\n')[1] ?? '')).toEqual({
          statusCode: 503,
          error: 'Service Unavailable',
          message: 'The server is shutting down; try again shortly',
          errorCode: 'overloaded',
        });
      }
      busy.send(JSON_BODY);
      await busy.closed();
      expect(busy.received).toMatch(/^HTTP\/1\.1 201 Created\r\n/m);
      await end;
    });
  });

  it('answers requests that are being worked on', async () => {
    await withDatabase(async (env) => {
      const server = await start({ env });
      // No more of one account than are let in at once.
      const bodies = ['laika', 'belka', 'cosmo'].map((username) => ({ ...ACCOUNT, username }));
      for (const body of bodies) await server.request('POST', '/auth/register', { body });
      // More than are hashed at once: when the first is answered, the last are not.
      const logins = await Promise.all(Array.from({ length: 12 }, () => RawConnection.to(server)));
      await Promise.all(logins.map((login) => login.beginPost('/auth/login')));
      for (const [i, login] of logins.entries()) login.send(JSON.stringify(bodies[i % bodies.length]));
      await Promise.race(logins.map((login) => login.receive('"access_token"')));
      const end = expectOrderlyEnd(server);
      await Promise.all(logins.map((login) => login.closed()));
      for (const { received } of logins)
        expect(received).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*"access_token"/m);
      await end;
    });
  });
});

it.each(['SIGTERM', 'SIGINT'] as const)(
  'shutdown is not held up by idle connections (%s)',
  async (signal) => {
    const server = await start({ env: { DATABASE_URL: ':memory:' } });
    expect(await server.request('GET', '/health/ready')).toMatchObject({ status: 200 });
    await expectOrderlyEnd(server, signal);
  },
);

it('shutdown is not held up by a connection on which nothing ever arrives', async () => {
  const server = await start({ env: { DATABASE_URL: ':memory:' } });
  const silent = await RawConnection.to(server);
  const broken = await RawConnection.to(server);
  await broken.beginPost('/auth/register');
  await expectOrderlyEnd(server);
  await Promise.all([silent.closed(), broken.closed()]);
});

it('shutdown leaves the whole of an SQLite database in its one file, ready to be copied', async () => {
  const server = await start();
  await server.request('POST', '/auth/register', { body: ACCOUNT });
  await expectOrderlyEnd(server);
  const folder = makeFolder();
  mkdirSync(join(folder, 'data'));
  copyFileSync(join(server.folder, 'data/freshgate.db'), join(folder, 'data/freshgate.db'));
  const copy = await start({ folder });
  expect(await copy.request('POST', '/auth/login', { body: ACCOUNT })).toMatchObject({ status: 200 });
  await copy.stop();
});
