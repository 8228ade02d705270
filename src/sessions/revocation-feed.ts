import { Injectable, Logger, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { sql } from 'kysely';
import {
  Database,
  type Listener,
  NotificationsLostError,
  type ReadPages,
  type ReadPosition,
  reasonOf,
  type Tx,
} from '../database/index.js';
import { RevokedSessions, type Revocation, REVOCATION_LEEWAY_MS } from './revoked-sessions.js';
import { RepeatedFailure } from './repeated-failure.js';
import { SessionOptions } from './session-options.js';
import { type RevokeCause } from './sessions.table.js';

/** The name from an earlier version, so that servers of that version beside this one receive notifications. */
const CHANNEL = 'freshgate_ended_sessions';
const POLL_MS = 1_000;
/** A notification holds at most 8,000 bytes; a revocation takes about 70. */
const REVOCATIONS_PER_NOTIFICATION = 50;
const REVOCATIONS_PER_UPDATE = 500;

/**
 * Brings the revocations of every instance into this one's memory.
 *
 * On PostgreSQL the transaction that revokes a session also sends a NOTIFY, so both commit together. One connection
 * LISTENs, and each second sends a notification to itself, to prove that it receives them from a writable server. On every
 * (re)connect it LISTENs first and then reads the sessions that were revoked since the last read, or all of them if that
 * could miss one (see `readByCursor`). While no connection can LISTEN, this instance reads them each second. If the
 * database lacks revocations that this instance remembers, because a lagging standby was promoted, they are written again.
 * SQLite belongs to this process alone and is read once.
 */
@Injectable()
export class RevocationFeed implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('RevocationFeed');
  private listener: Listener | undefined;
  private poll: NodeJS.Timeout | undefined;
  /** Whether the last heartbeat came back. */
  isListening = false;
  /**
   * LISTEN works but notifications do not arrive. Readiness must show that, so reading each second does not hide it.
   */
  private notificationsAreLost = false;
  private reading = false;
  private position: ReadPosition | undefined;
  private readonly listening = new RepeatedFailure((message) => this.logger.warn(message));
  private readonly polling = new RepeatedFailure((message) => this.logger.warn(message));
  /** How often LISTEN was lost or could not be begun, and how often it began after the first time. */
  readonly counts = { listenFailures: 0, reconnects: -1 };
  /** By the monotonic clock, which steps of the wall clock do not affect. */
  private heardAt = -Infinity;

  constructor(
    private readonly db: Database,
    private readonly revoked: RevokedSessions,
    private readonly options: SessionOptions,
  ) {}

  /** Runs before the first request, so that revocations from before the start are known. */
  async onApplicationBootstrap(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.listener = this.db.listen(CHANNEL, {
        onListening: async (read) => {
          await this.catchUp(read);
          this.counts.reconnects++;
          resolve();
        },
        onNotification: (payload) => this.revoked.add(parse(payload)),
        onHeartbeat: (sentAt) => this.onHeartbeat(sentAt),
        onLost: (error) => {
          this.onLost(error);
          resolve();
        },
      });
      if (this.listener) this.listener.start();
      else resolve();
    });
    if (this.heardAt === -Infinity) await this.catchUp(this.db.readPages);
    if (!this.listener) return;
    this.poll = setInterval(() => void this.readWhileCut(), POLL_MS).unref();
  }

  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.poll);
    await this.listener?.stop();
  }

  /** Milliseconds since it was last certain that no revocation is missing. */
  staleness(): number {
    return this.listener ? performance.now() - this.heardAt : 0;
  }

  /** Part of the transaction that revokes the sessions. */
  async publish(tx: Tx, revocations: Revocation[]): Promise<void> {
    for (let i = 0; i < revocations.length; i += REVOCATIONS_PER_NOTIFICATION) {
      await this.db.notify(tx, CHANNEL, format(revocations.slice(i, i + REVOCATIONS_PER_NOTIFICATION)));
    }
    this.db.afterCommit(tx, () => this.revoked.add(revocations));
  }

  private onHeartbeat(sentAt: number): void {
    const failures = this.listening.end();
    if (failures > 0) this.logger.log(`LISTEN works again after ${failures} failures`);
    this.isListening = true;
    this.notificationsAreLost = false;
    this.heardAt = Math.max(this.heardAt, sentAt);
  }

  private onLost(error: Error): void {
    this.isListening = false;
    this.notificationsAreLost = error instanceof NotificationsLostError;
    this.counts.listenFailures++;
    this.listening.add(`LISTEN does not work, reading revocations each second: ${reasonOf(error)}`);
  }

  private async readWhileCut(): Promise<void> {
    if (this.isListening || this.reading) return;
    try {
      await this.catchUp(this.db.readPages);
      this.polling.end();
    } catch (error) {
      this.polling.add(`revocations cannot be read: ${reasonOf(error)}`);
    }
  }

  /** Reads the revocations that are not known yet. */
  private async catchUp(read: ReadPages): Promise<void> {
    this.reading = true;
    try {
      const began = performance.now();
      // At the start this instance remembers nothing that the database could have lost.
      const ids = this.revoked.size > 0 ? new Set<string>() : undefined;
      const { position, isWhole } = await read({
        table: 'sessions',
        since: this.position,
        queryFrom: (xid) => this.selectRevoked(xid).compile(),
        onPage: (page) => {
          this.revoked.add(page);
          for (const { id } of page) ids?.add(id);
        },
      });
      if (!this.notificationsAreLost) this.heardAt = Math.max(this.heardAt, began);
      if (ids && isWhole) await this.writeAgain(ids);
      this.position = position;
    } finally {
      this.reading = false;
    }
  }

  private selectRevoked(sinceXid: bigint | undefined) {
    return this.db
      .selectFrom('sessions')
      .select(['id', 'access_until', 'revoke_cause'])
      .where('access_until', '>', this.options.now() - REVOCATION_LEEWAY_MS)
      .where('revoked_at', 'is not', null)
      .$if(sinceXid !== undefined, (query) =>
        query.where(sql<boolean>`revoked_xid >= ${String(sinceXid)}::xid8`),
      );
  }

  /** Writes lost revocations to the database again, so that refreshes and all instances see them. */
  private async writeAgain(knownIds: ReadonlySet<string>): Promise<void> {
    const lost = this.revoked.missingFrom(knownIds);
    let written = 0;
    for (const cause of new Set(lost.map(({ revoke_cause }) => revoke_cause))) {
      const ids = lost.filter(({ revoke_cause }) => revoke_cause === cause).map(({ id }) => id);
      for (let i = 0; i < ids.length; i += REVOCATIONS_PER_UPDATE) {
        written += await this.revokeAgain(ids.slice(i, i + REVOCATIONS_PER_UPDATE), cause);
      }
    }
    if (written > 0)
      this.logger.warn(
        `${written} revocations were missing in the database (a failover?) and were written again`,
      );
  }

  private async revokeAgain(ids: string[], cause: RevokeCause | null): Promise<number> {
    return this.db.inTransaction(async (tx) => {
      const revocations = await tx
        .updateTable('sessions')
        .set({ revoked_at: this.options.now(), revoke_cause: cause })
        .where('id', 'in', ids)
        .where('revoked_at', 'is', null)
        .returning(['id', 'access_until', 'revoke_cause'])
        .execute();
      await this.publish(tx, revocations);
      return revocations.length;
    });
  }
}

function format(revocations: Revocation[]): string {
  return revocations
    .map(({ id, access_until, revoke_cause }) => `${id} ${access_until} ${revoke_cause ?? ''}`)
    .join(',');
}

function parse(payload: string): Revocation[] {
  return payload.split(',').map((text) => {
    const [id = '', until = '', cause = ''] = text.split(' ');
    return { id, access_until: Number(until), revoke_cause: cause === '' ? null : (cause as RevokeCause) };
  });
}
