import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { columnTypes } from './column-types.js';
import { type Execute, type ReadPages, readByCursor } from './page-reader.js';
import { assertWritable } from './writable.js';

/** Milliseconds between two heartbeats, and between two attempts to connect. */
const HEARTBEAT_MS = 1_000;
/** Milliseconds after which a silent connection is closed. */
const ANSWER_TIMEOUT_MS = 2_000;
/** Milliseconds within which our own notification must arrive. It usually takes less than one. */
const ECHO_TIMEOUT_MS = 2_000;

/** The connection answers, but notifications do not arrive: a connection pooler drops them. */
export class NotificationsLostError extends Error {
  override readonly name = 'NotificationsLostError';

  constructor() {
    super('notifications do not arrive: is there a connection pooler in transaction mode?');
  }
}

/** Sends a notification through another connection than the listening one. */
export type SendNotification = (channel: string, payload: string) => Promise<void>;

export interface ListenerHandlers {
  /**
   * Called once LISTEN is in effect: earlier commits can be read now, later ones send a notification. `read` uses the
   * listening connection itself, which was just proved to work and to reach a writable server.
   */
  onListening(read: ReadPages): Promise<void>;
  onNotification(payload: string): void;
  /**
   * Called when our own notification has come back from a writable server: every notification committed before it has
   * arrived.
   * @param sentAt when it was sent, by `performance.now()`
   */
  onHeartbeat(sentAt: number): void;
  onLost(error: Error): void;
}

/**
 * One connection that LISTENs on a channel and reconnects by itself. Each second it sends itself a notification through
 * another connection, because an answer to a query would not prove that notifications arrive.
 */
export class Listener {
  private readonly stopping = new AbortController();
  private running: Promise<void> | undefined;
  /** A separate channel, so that heartbeats of one instance do not reach the others. */
  private readonly heartbeats = `freshgate_heartbeat_${randomBytes(8).toString('hex')}`;
  private beats = 0;

  constructor(
    private readonly url: string,
    private readonly channel: string,
    private readonly send: SendNotification,
    private readonly handlers: ListenerHandlers,
  ) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      try {
        await this.listen(signal);
      } catch (error) {
        if (!signal.aborted) this.handlers.onLost(error as Error);
      }
      await delay(HEARTBEAT_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** Returns when stopped. @throws when the connection is lost or useless */
  private async listen(signal: AbortSignal): Promise<void> {
    const client = await createClient(this.url);
    const lost = new Promise<never>((_, reject) => {
      // For the lifetime of the client: an unhandled error event ends the process.
      client.on('error', reject);
      client.once('end', () => reject(new Error('the server closed the connection')));
    });
    lost.catch(() => {});
    // Not awaited, because a dead connection does not answer.
    const close = () => void client.end().catch(() => {});
    signal.addEventListener('abort', close);
    try {
      await client.connect();
      await assertWritable(client);
      client.on('notification', ({ channel, payload = '' }) => {
        if (channel === this.channel) this.handlers.onNotification(payload);
      });
      await client.query(`listen ${this.channel}; listen ${this.heartbeats}`);
      await this.handlers.onListening((read) => readByCursor(executeOn(client), read));
      while (!signal.aborted) {
        await assertWritable(client);
        await Promise.race([this.sendHeartbeat(client), lost]);
        await Promise.race([delay(HEARTBEAT_MS, undefined, { signal }).catch(() => {}), lost]);
      }
    } finally {
      signal.removeEventListener('abort', close);
      close();
    }
  }

  /** @throws NotificationsLostError if it does not come back. A notification that could not be sent proves nothing. */
  private async sendHeartbeat(client: pg.Client): Promise<void> {
    const sentAt = performance.now();
    const payload = String(++this.beats);
    let arrived: boolean;
    try {
      arrived = await hears(client, this.heartbeats, payload, () => this.send(this.heartbeats, payload));
    } catch {
      return;
    }
    if (!arrived) throw new NotificationsLostError();
    this.handlers.onHeartbeat(sentAt);
  }
}

/**
 * Checks that a notification sent on one connection arrives at another. Behind a pooler in transaction mode it never
 * does, because a waiting connection has no server connection there.
 * @throws NotificationsLostError
 */
export async function checkNotifications(url: string, send: SendNotification): Promise<void> {
  const channel = `freshgate_check_${randomBytes(8).toString('hex')}`;
  const client = await createClient(url);
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query(`listen ${channel}`);
    if (!(await hears(client, channel, 'start', () => send(channel, 'start'))))
      throw new NotificationsLostError();
  } finally {
    await client.end().catch(() => {});
  }
}

async function createClient(url: string): Promise<pg.Client> {
  const { default: driver } = await import('pg');
  return new driver.Client({
    connectionString: url,
    application_name: 'freshgate-listener',
    connectionTimeoutMillis: ANSWER_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    types: columnTypes(driver),
  });
}

/** Whether the notification arrives soon after `send` has sent it. @throws the error of `send` */
async function hears(
  client: pg.Client,
  channel: string,
  payload: string,
  send: () => Promise<void>,
): Promise<boolean> {
  let onNotification: (message: pg.Notification) => void = () => {};
  const arrived = new Promise<boolean>((resolve) => {
    onNotification = (message) => {
      if (message.channel === channel && message.payload === payload) resolve(true);
    };
  });
  client.on('notification', onNotification);
  try {
    await send();
    return await Promise.race([arrived, delay(ECHO_TIMEOUT_MS, false, { ref: false })]);
  } finally {
    client.off('notification', onNotification);
  }
}

function executeOn(client: pg.Client): Execute {
  return async (sql, parameters = []) => (await client.query(sql, [...parameters])).rows as unknown[];
}
