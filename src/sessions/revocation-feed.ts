import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Database, type Listener, type ReadRows, type Tx } from '../database/index.js';
import { RevokedSessions, type Revocation, REVOCATION_LEEWAY_MS } from './revoked-sessions.js';
import { SessionOptions } from './session-options.js';

const CHANNEL = 'freshgate_ended_sessions';
/** Milliseconds. */
const POLL = 1_000;
/** A notification holds at most 8,000 bytes; a tombstone takes about 80. */
const REVOCATIONS_PER_NOTIFICATION = 50;

/**
 * Brings the ends of sessions from every instance to this one's memory.
 *
 * On PostgreSQL the transaction that ends a session also NOTIFYs, so the news comes with the fact. A connection
 * LISTENs and shows each second that it lives; on every (re)connect it LISTENs first and then reads all tombstones,
 * never "those since the last one", because transactions commit out of order. While it is cut, all tombstones are
 * read each second. An embedded database belongs to this process alone: it is read once, at start.
 */
@Injectable()
export class RevocationFeed implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('RevocationFeed');
  private listener: Listener | undefined;
  private poll: NodeJS.Timeout | undefined;
  private listening = false;
  private reading = false;
  /** By the monotonic clock: a step of the wall clock is no news of the feed. */
  private heardAt = -Infinity;

  constructor(
    private readonly db: Database,
    private readonly ended: RevokedSessions,
    private readonly options: SessionOptions,
  ) {}

  /** Before the first request: what had ended before the start is known from it on. */
  async onApplicationBootstrap(): Promise<void> {
    await this.readAll();
    this.listener = this.db.listen(CHANNEL, {
      onListening: (read) => this.readAll(read),
      onNotification: (payload) => this.ended.add(parse(payload)),
      onAlive: () => {
        this.listening = true;
        this.heardAt = performance.now();
      },
      onLost: (error) => {
        if (this.listening) this.logger.warn(`LISTEN was cut, reading each second: ${error.message}`);
        this.listening = false;
      },
    });
    if (!this.listener) return;
    this.listener.start();
    this.poll = setInterval(() => void this.readWhileCut(), POLL).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.poll);
    await this.listener?.stop();
  }

  /** Milliseconds since it was last certain that nothing is missing. */
  staleness(): number {
    return this.listener ? performance.now() - this.heardAt : 0;
  }

  /** Part of the transaction that ends the sessions. */
  async publish(tx: Tx, tombstones: Revocation[]): Promise<void> {
    for (let i = 0; i < tombstones.length; i += REVOCATIONS_PER_NOTIFICATION) {
      const part = tombstones.slice(i, i + REVOCATIONS_PER_NOTIFICATION);
      await this.db.notify(
        tx,
        CHANNEL,
        part.map(({ id, access_until }) => `${id} ${access_until}`).join(','),
      );
    }
    this.db.afterCommit(tx, () => this.ended.add(tombstones));
  }

  private async readWhileCut(): Promise<void> {
    if (this.listening || this.reading) return;
    try {
      await this.readAll();
    } catch (error) {
      this.logger.warn(`the ended sessions cannot be read: ${(error as Error).message}`);
    }
  }

  private async readAll(read?: ReadRows): Promise<void> {
    this.reading = true;
    try {
      const began = performance.now();
      const query = this.db
        .selectFrom('sessions')
        .select(['id', 'access_until'])
        .where('access_until', '>', this.options.now() - REVOCATION_LEEWAY_MS)
        .where('revoked_at', 'is not', null);
      const tombstones = await (read ? read(query.compile()) : query.execute());
      this.ended.add(tombstones);
      this.heardAt = Math.max(this.heardAt, began);
    } finally {
      this.reading = false;
    }
  }
}

function parse(payload: string): Revocation[] {
  return payload.split(',').map((text) => {
    const [id = '', until = ''] = text.split(' ');
    return { id, access_until: Number(until) };
  });
}
