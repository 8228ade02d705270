import { Controller, type MessageEvent, Sse } from '@nestjs/common';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NEVER, type Observable } from 'rxjs';
import { WebSocket } from 'ws';
import { TokenWatch } from '../../../src/auth/internals.js';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { TestClock } from '../../../src/testing/index.js';
import { createTestApp, type TestApp, type TestLogin } from '../../support/create-test-app.js';
import { DeclaredGateway } from '../../support/declared.gateway.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../../support/engines.js';
import { gatewaysModule } from '../../support/sockets.js';
import { until } from '../../support/until.js';

/** Of each kind. */
const CONNECTIONS = 500;
/** Milliseconds. The promise is one second; twice that on a machine that does other work too. */
const BOUND = 2_000;
const LONG = 180_000;

@Controller('stream')
class StreamController {
  @Sse()
  stream(): Observable<MessageEvent> {
    return NEVER;
  }
}

class TeamModule {}
const team = { module: TeamModule, providers: [DeclaredGateway], controllers: [StreamController] };

/** Something open, and when it ended. */
interface Open {
  endedAt?: number;
  close(): void;
}

async function openSocket(url: string, token: string): Promise<Open> {
  const socket = new WebSocket(url.replace('http', 'ws'), { headers: { authorization: `Bearer ${token}` } });
  const open: Open = { close: () => socket.terminate() };
  socket.once('close', () => (open.endedAt = performance.now()));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  // Answered once the token of the handshake is accepted.
  const answered = new Promise((resolve) => socket.once('message', resolve));
  socket.send(JSON.stringify({ event: 'access' }));
  await answered;
  return open;
}

async function openStream(url: string, token: string, agent: Agent): Promise<Open> {
  return new Promise((resolve, reject) => {
    const request = get(`${url}/stream`, { agent, headers: { authorization: `Bearer ${token}` } });
    request.once('error', reject).once('response', (response) => {
      const open: Open = { close: () => request.destroy() };
      response.resume().once('end', () => (open.endedAt = performance.now()));
      resolve(open);
    });
  });
}

describePostgres('what is open on one instance, when another one revokes its session', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-ends-'));
  const agent = new Agent({ maxSockets: Infinity });
  let database: TestDatabase;
  let here: TestApp;
  let there: TestApp;
  let url: string;
  beforeAll(async () => {
    const keysFile = join(folder, 'keys.json');
    writeFileSync(keysFile, JSON.stringify(generateKeySet()), { mode: 0o600 });
    database = await createTestDatabase('postgres');
    const options = { database, keysFile, clock: new TestClock() };
    here = await createTestApp({ ...options, imports: [team, gatewaysModule('ws')] });
    there = await createTestApp(options);
    url = await here.app.getUrl();
  }, LONG);
  afterAll(async () => {
    agent.destroy();
    await here.close();
    await there.close();
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  const opened = {
    sockets: async (token: string) => openSocket(url, token),
    streams: async (token: string) => openStream(url, token, agent),
  };
  const logOut = async ({ refresh }: TestLogin) => there.request('POST', '/auth/logout', refresh).expect(204);

  it.each(['sockets', 'streams'] as const)(
    'ends within a second: 500 %s of as many sessions',
    async (kind) => {
      const all: { login: TestLogin; open: Open; revokedAt: number }[] = [];
      await inTurns(CONNECTIONS, async () => {
        const login = await here.login();
        all.push({ login, open: await opened[kind](login.access), revokedAt: 0 });
      });
      expect(here.get(TokenWatch).size).toBe(CONNECTIONS);
      await inTurns(CONNECTIONS, async (i) => {
        const each = all[i] as (typeof all)[number];
        each.revokedAt = performance.now();
        await logOut(each.login);
      });
      await until(BOUND, async () => all.every(({ open }) => open.endedAt !== undefined));
      report(
        `${CONNECTIONS} ${kind}, each from the request that revokes its session`,
        all.map(({ open, revokedAt }) => (open.endedAt ?? Infinity) - revokedAt),
      );
      expect(here.get(TokenWatch).size).toBe(0);
    },
    LONG,
  );

  it.each(['sockets', 'streams'] as const)(
    'ends within a second: 500 %s of one session',
    async (kind) => {
      const login = await here.login();
      const all: Open[] = [];
      await inTurns(CONNECTIONS, async () => void all.push(await opened[kind](login.access)));
      const revokedAt = performance.now();
      await logOut(login);
      await until(BOUND, async () => all.every(({ endedAt }) => endedAt !== undefined));
      report(
        `${CONNECTIONS} ${kind} of one session, from the request that revokes it`,
        all.map(({ endedAt }) => (endedAt ?? Infinity) - revokedAt),
      );
    },
    LONG,
  );

  it(
    'costs no CPU while it is idle, and leaves nothing behind when it goes',
    async () => {
      const before = await cpuOf(2_000);
      const login = await here.login();
      const all: Open[] = [];
      await inTurns(4 * CONNECTIONS, async () => void all.push(await opened.sockets(login.access)));
      await delay(1_000);
      const idle = await cpuOf(2_000);
      process.stdout.write(
        `CPU of this process in 2 s: ${before.toFixed(0)} ms without sockets, ${idle.toFixed(0)} ms with ${all.length}\n`,
      );
      // Both ends of every socket are in this process.
      expect(idle - before).toBeLessThan(200);
      for (const open of all) open.close();
      await until(5_000, async () => here.get(TokenWatch).size === 0);
    },
    LONG,
  );
});

/** Ten at a time: waiting here is not part of the measurement. */
async function inTurns(count: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
}

/** Milliseconds of CPU that this process takes in a time. */
async function cpuOf(milliseconds: number): Promise<number> {
  const begun = process.cpuUsage();
  await delay(milliseconds);
  const { user, system } = process.cpuUsage(begun);
  return (user + system) / 1_000;
}

function report(what: string, milliseconds: number[]): void {
  const sorted = milliseconds.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? Infinity;
  process.stdout.write(
    `${what}: p50 ${at(0.5).toFixed(0)} ms, p99 ${at(0.99).toFixed(0)} ms, max ${at(1).toFixed(0)} ms\n`,
  );
  expect(at(0.99)).toBeLessThan(BOUND);
}
