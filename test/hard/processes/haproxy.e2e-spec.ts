import { afterAll, beforeAll, expect, it, jest } from '@jest/globals';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { blocksOf, readDocument } from '../../docs/documents.js';
import { createTestDatabase, type TestDatabase } from '../../support/engines.js';
import { freePort } from '../../support/free-port.mjs';
import { describeHaproxy, Haproxy } from '../../support/haproxy.js';
import { makeFolder, type ServerProcess, start } from '../../support/server-process.js';
import { until } from '../../support/until.js';

jest.setTimeout(120_000);

const DOCUMENT = readDocument('docs/deployment.md');
const [CONFIG = ''] = blocksOf(DOCUMENT, 'haproxy');
const [, DRAIN = ''] = /`SHUTDOWN_DRAIN=(\w+)`/.exec(DOCUMENT) ?? [];
const NAMES = [...CONFIG.matchAll(/^ *server (\S+) /gm)].map(([, name]) => name ?? '');

const CLIENTS = 8;
/** Milliseconds between two requests of a client. */
const PAUSE = 5;

interface Tokens {
  access_token: string;
  refresh_token: string;
}

interface Sent {
  method: string;
  path: string;
  token?: string;
  body?: object;
  key?: string;
}

/** A client that keeps one connection open, and repeats nothing. */
class Client {
  readonly failures: string[] = [];
  sent = 0;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 1 });

  constructor(private readonly port: number) {}

  /** @returns undefined if it failed */
  async send<T>({ method, path, token, body, key }: Sent): Promise<T | undefined> {
    this.sent++;
    try {
      const { status, answer } = await new Promise<{ status: number; answer: string }>((resolve, reject) => {
        const headers = {
          ...(token !== undefined && { Authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'Content-Type': 'application/json' }),
          ...(key !== undefined && { 'Idempotency-Key': key }),
        };
        request({ port: this.port, host: '127.0.0.1', agent: this.agent, method, path, headers })
          .once('error', reject)
          .once('response', (response) => {
            text(response).then(
              (received) => resolve({ status: response.statusCode ?? 0, answer: received }),
              reject,
            );
          })
          .end(body && JSON.stringify(body));
      });
      if (status < 300) return JSON.parse(answer) as T;
      this.failures.push(`${method} ${path}: ${status} ${answer}`);
    } catch (error) {
      this.failures.push(`${method} ${path}: ${String(error)}`);
    }
    return undefined;
  }

  /** Reads and refreshes, until it is over. */
  async run(name: string, over: { now: boolean }): Promise<void> {
    const body = { username: name, password: 'space-corgi-1' };
    await this.send({ method: 'POST', path: '/auth/register', body });
    let tokens = await this.send<Tokens>({ method: 'POST', path: '/auth/login', body });
    for (let i = 0; tokens !== undefined && !over.now; i++) {
      const { access_token: token, refresh_token } = tokens;
      if (i % 200 === 199) {
        const key = `${name}-refresh-${i}`;
        tokens = await this.send<Tokens>({
          method: 'POST',
          path: '/auth/refresh',
          token: refresh_token,
          key,
        });
      } else {
        await this.send({ method: 'GET', path: i % 10 === 0 ? '/auth/sessions' : '/profile', token });
      }
      await delay(PAUSE);
    }
    this.agent.destroy();
  }
}

describeHaproxy('three instances behind HAProxy with the settings of docs/deployment.md', () => {
  const keys = join(makeFolder(), 'keys.json');
  const instances = new Map<string, { port: number; server: ServerProcess }>();
  let database: TestDatabase;
  let proxy: Haproxy;
  let port: number;

  const startOn = async (own: number) => ({
    port: own,
    server: await start({
      env: {
        DATABASE_URL: database.url,
        AUTH_KEYS_FILE: keys,
        PORT: String(own),
        TRUSTED_PROXIES: '127.0.0.1',
        SHUTDOWN_DRAIN: DRAIN,
      },
    }),
  });
  const allUp = () => until(15_000, async () => (await proxy.serversUp()).length === NAMES.length);

  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    for (const name of NAMES) instances.set(name, await startOn(await freePort()));
    port = await freePort();
    const config = CONFIG.replace(/^( *bind) .+$/m, `$1 127.0.0.1:${port}`).replaceAll(
      /^( *server (\S+)) \S+/gm,
      (_, words: string, name: string) => `${words} 127.0.0.1:${instances.get(name)?.port}`,
    );
    proxy = await Haproxy.start(config);
  });
  afterAll(async () => {
    await proxy?.stop();
    await Promise.all([...instances.values()].map(({ server }) => server.kill9()));
    await database?.drop();
  });

  it('lose no request while each is restarted in turn', async () => {
    expect([NAMES.length, DRAIN]).toEqual([3, expect.stringMatching(/^\ds$/)]);
    await allUp();
    const over = { now: false };
    const clients = Array.from({ length: CLIENTS }, () => new Client(port));
    const load = Promise.all(clients.map((client, i) => client.run(`dog-${i}`, over)));
    try {
      for (const [name, { port: own, server }] of instances) {
        await delay(500);
        const end = server.stop();
        await until(10_000, async () => !(await proxy.serversUp()).includes(name));
        expect(await end).toEqual({ code: null, signal: 'SIGTERM' });
        instances.set(name, await startOn(own));
        await allUp();
      }
      await delay(500);
    } finally {
      over.now = true;
      await load;
    }
    expect(clients.flatMap(({ failures }) => failures)).toEqual([]);
    expect(clients.reduce((sum, { sent }) => sum + sent, 0)).toBeGreaterThan(1_000);
  });
});
