import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { HashingQueue } from '../../../src/passwords/hashing-queue.js';
import { createTestApp, type TestApp, type TestUser } from '../../support/create-test-app.js';
import { describeEachEngine } from '../../support/engines.js';
import { BEHIND_PROXY, login, newAddress } from '../../limits/strangers.js';

const ACCOUNTS = 14;
/** As many right passwords as one account may have in flight from one address. */
const IN_FLIGHT = 5;
const TRIES = 2;

/** Logs in to accounts of its own, from one address, as fast as it is answered. */
class Flood {
  readonly statuses: number[] = [];
  private stopped = false;
  private loops: Promise<void>[] = [];

  constructor(
    private readonly api: TestApp,
    readonly address: string,
  ) {}

  async start(withDevices: boolean): Promise<void> {
    for (let i = 0; i < ACCOUNTS; i++) {
      const user = await this.api.user();
      const first = await login(this.api, user.username, user.password);
      const device = withDevices ? String(first.headers['x-device-token']) : undefined;
      for (let j = 0; j < IN_FLIGHT; j++) this.loops.push(this.loop(user, device));
    }
    const queue = this.api.get(HashingQueue);
    while (queue.length < queue.maxWaiting) await delay(5);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await Promise.all(this.loops);
  }

  private async loop({ username, password }: TestUser, device: string | undefined): Promise<void> {
    while (!this.stopped) {
      const { status } = await login(this.api, username, password, { address: this.address, device });
      this.statuses.push(status);
      if (status !== 200) await delay(20);
    }
  }
}

describeEachEngine('while one address logs in to many accounts of its own', (engine) => {
  let api: TestApp;
  let flood: Flood;
  beforeAll(async () => {
    api = await createTestApp({ engine, env: BEHIND_PROXY, realHashes: true });
  });
  afterEach(() => flood.stop());
  afterAll(() => api.close());

  // Who waits for whom does not depend on the database. With device tokens a login asks it the most.
  const floods: [string, boolean][] = [['with device tokens', true]];
  if (engine === 'sqlite') floods.push(['without device tokens', false]);

  it.each(floods)('%s, other clients can log in and reauthenticate', async (_, withDevices) => {
    const user = await api.user();
    const session = await user.login();
    const device = String((await login(api, user.username, user.password)).headers['x-device-token']);
    flood = new Flood(api, newAddress());
    const { address } = flood;
    await flood.start(withDevices);
    const answers: Record<string, number[]> = {
      elsewhere: [],
      neighbour: [],
      device: [],
      reauthenticate: [],
    };
    for (let i = 0; i < TRIES; i++) {
      const { username, password } = user;
      answers['elsewhere']?.push((await login(api, username, password)).status);
      answers['neighbour']?.push((await login(api, username, password, { address })).status);
      answers['device']?.push((await login(api, username, password, { address, device })).status);
      answers['reauthenticate']?.push((await session.tryReauthenticate(session.refresh, password)).status);
    }
    const all = Array.from({ length: TRIES }, () => 200);
    expect(answers).toEqual({ elsewhere: all, neighbour: all, device: all, reauthenticate: all });
    expect(api.get(HashingQueue).refused).toBeGreaterThan(0);
    const body = { current_password: user.password, new_password: 'orbital-dachshund' };
    const changed = await api
      .request('PUT', '/auth/password', (await user.login()).access)
      .set('X-Forwarded-For', address)
      .send(body);
    expect(changed.status).toBe(200);
    await flood.stop();
    expect(new Set(flood.statuses)).toEqual(new Set([200, 503]));
  });
});
