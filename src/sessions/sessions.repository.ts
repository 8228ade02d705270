import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Executor, type Tx } from '../database/index.js';
import { type Proof, weakerThan } from '../tokens/proof.js';
import { classify, type Presented, type Verdict } from './rotation.js';
import { atLeast, atMost, columnsOf, ifRaised } from './session-expressions.js';
import { liveSessions, SessionRevoker } from './session-revoker.js';
import { SessionOptions } from './session-options.js';
import { type Session } from './sessions.table.js';

export interface Device {
  ip: string | null;
  userAgent: string | null;
}

export interface RotationRequest extends Presented {
  sessionId: string;
  /** The origin of the request, stored in the row. */
  device: Device;
  /** Written to the row, unless the row has a stronger one. Absent for a refresh. */
  proof?: Proof;
}

/** The lifetimes of one session instead of the configured ones, in milliseconds. */
export interface SessionLives {
  sessionTtl?: number | undefined;
  accessTtl?: number | undefined;
}

/** The outcome for a refresh token, with the row if the client receives tokens. */
export type Rotation =
  | { outcome: 'rotated' | 'replayed' | 'concurrent' | 'concurrent_elsewhere'; session: Session }
  | { outcome: 'rate_limited'; retryAfter: number }
  | { outcome: 'key_reused' | 'superseded' | 'reuse' | 'rolled_back' | 'revoked' };

/** The verdict on a refresh token before anything is rotated. */
export type Inspection =
  { verdict: 'rate_limited'; retryAfter: number } | { verdict: Verdict; session: Session | undefined };

/** The rows of `sessions`. Rotation, revocation and every proof of a password meet on them. */
@Injectable()
export class Sessions {
  constructor(
    private readonly db: Database,
    private readonly options: SessionOptions,
    private readonly revoker: SessionRevoker,
  ) {}

  /** Opens a session for a user who was just authenticated. */
  async open(
    tx: Tx,
    userId: string,
    { ip, userAgent }: Device,
    { acr, amr, at: now }: Proof,
    { sessionTtl = this.options.sessionTtl, accessTtl = this.options.accessTtl }: SessionLives = {},
  ): Promise<Session> {
    return tx
      .insertInto('sessions')
      .values({
        id: uuidv7(),
        user_id: userId,
        generation: 0,
        rotated_at: now,
        rotation_key_hash: null,
        idle_expires_at: now + Math.min(this.options.refreshTtl, sessionTtl),
        expires_at: now + sessionTtl,
        acr,
        auth_time: now,
        amr: amr.join(' '),
        raised_from: null,
        created_at: now,
        last_used_at: now,
        access_until: now + Math.min(accessTtl, sessionTtl),
        refresh_window_ends_at: 0,
        refresh_count: 0,
        ip,
        user_agent: userAgent,
        revoked_at: null,
        revoke_cause: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  }

  async find(id: string, db: Executor = this.db): Promise<Session | undefined> {
    return db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** Returns the session if it is neither revoked nor expired. Reads the row, not a cache. */
  async findLive(id: string, now: number): Promise<Session | undefined> {
    const session = await this.find(id);
    return session && session.revoked_at === null && session.expires_at > now ? session : undefined;
  }

  /**
   * Advances the generation by one conditional UPDATE, if the presented one is live. Of N parallel requests exactly one
   * advances it. Needs no transaction.
   * @returns undefined, and changes nothing, in every other case; `settle` decides which
   */
  async advance(request: RotationRequest): Promise<Session | undefined> {
    return this.db.retryOnDeadlock(() => this.advanceIn(this.db, request));
  }

  /** Decides about a refresh token that was not simply rotated. */
  async settle(tx: Tx, request: RotationRequest): Promise<Rotation> {
    const advanced = await this.advanceIn(tx, request);
    if (advanced) return { outcome: 'rotated', session: advanced };
    const first = await this.repeat(tx, request, await this.inspect(tx, request));
    // The row changed since it was read: revoked, or advanced. Neither can be undone, so reading it once more is enough.
    const found = first ?? (await this.repeat(tx, request, await this.inspect(tx, request)));
    if (found) return found;
    throw new Error(`session ${request.sessionId}: generation moved backwards`);
  }

  /**
   * Classifies a presented refresh token without rotating it. Reuse revokes the session at once, before any password is
   * checked.
   */
  async inspect(tx: Tx, request: Presented & Pick<RotationRequest, 'sessionId'>): Promise<Inspection> {
    const { sessionId, now } = request;
    const session = await this.find(sessionId, tx);
    const verdict = classify(session, request, this.options.refreshGrace);
    if (verdict === 'reuse' || verdict === 'rolled_back') {
      // Of several requests that detect it at once, one revokes the session and records it.
      const first = await this.revoker.revoke(tx, sessionId, verdict, now);
      return { verdict: first ? verdict : 'revoked', session };
    }
    const retryAfter = session && TAKES_TOKENS.has(verdict) ? this.retryAfter(session, now) : 0;
    return retryAfter > 0 ? { verdict: 'rate_limited', retryAfter } : { verdict, session };
  }

  /** List the live sessions of a user, most recently used first. */
  async listLive(userId: string, now: number): Promise<Session[]> {
    return liveSessions(this.db, userId, now)
      .selectAll()
      .orderBy('last_used_at', 'desc')
      .orderBy('id', 'desc')
      .execute();
  }

  /**
   * Records another access token of a live session, which expires at `until` (milliseconds).
   * @returns undefined if the session is revoked or expired
   */
  async extendAccess(tx: Tx, id: string, until: number, now: number): Promise<Session | undefined> {
    return tx
      .updateTable('sessions')
      .set((eb) => ({ last_used_at: now, access_until: atLeast(eb, 'access_until', until) }))
      .where('id', '=', id)
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', now)
      .returningAll()
      .executeTakeFirst();
  }

  private async advanceIn(db: Executor, request: RotationRequest): Promise<Session | undefined> {
    const { keyHash } = request;
    return this.advanceFrom(request.generation, db, request)
      .where((eb) =>
        eb.or([eb('rotation_key_hash', 'is', null), eb('rotation_key_hash', 'is distinct from', keyHash)]),
      )
      .returningAll()
      .executeTakeFirst();
  }

  /** @param live the generation that the row must have: the presented one, or its successor */
  private advanceFrom(live: number, db: Executor, request: RotationRequest) {
    const { generation, keyHash, now, proof } = request;
    return this.updateLive(request, live, db).set((eb) => ({
      generation: eb('generation', '+', 1),
      rotated_at: now,
      rotation_key_hash: keyHash,
      idle_expires_at: atMost(eb, 'expires_at', now + this.options.refreshTtl),
      raised_from: proof ? ifRaised(eb, proof, generation) : null,
    }));
  }

  /** Handles a token that repeats the live generation. @returns undefined if the row has changed since */
  private async repeat(tx: Tx, request: RotationRequest, seen: Inspection): Promise<Rotation | undefined> {
    if (seen.verdict === 'rate_limited') return { outcome: 'rate_limited', retryAfter: seen.retryAfter };
    const { verdict, session } = seen;
    if (verdict === 'rotate') return undefined;
    if (verdict !== 'replay' && verdict !== 'concurrent') return { outcome: verdict };
    if (!session) return undefined;
    const { proof } = request;
    // Others may hold the live generation without the proof, so a raised level begins with a new generation.
    const raises = proof !== undefined && weakerThan(proof.acr).includes(session.acr);
    const update = raises
      ? this.advanceFrom(session.generation, tx, request)
      : this.updateLive(request, session.generation, tx);
    const repeated = await update.returningAll().executeTakeFirst();
    if (!repeated) return undefined;
    if (verdict === 'replay') return { outcome: 'replayed', session: repeated };
    const { ip, userAgent } = request.device;
    const elsewhere = session.ip !== ip || session.user_agent !== userAgent;
    return { outcome: elsewhere ? 'concurrent_elsewhere' : 'concurrent', session: repeated };
  }

  /** The UPDATE of every refresh: last use, address, and one more in the window of the limit, unless it is used up. */
  private updateLive({ sessionId, now, device, proof }: RotationRequest, generation: number, db: Executor) {
    const { accessTtl, refreshLimit } = this.options;
    const windowMs = refreshLimit.seconds * 1000;
    // A window that ends later than a new one would is over too: the clock was set back.
    const isOver = sql<boolean>`(refresh_window_ends_at <= ${now} or refresh_window_ends_at > ${now + windowMs})`;
    return db
      .updateTable('sessions')
      .set((eb) => ({
        last_used_at: now,
        access_until: atLeast(eb, 'access_until', now + accessTtl),
        ip: device.ip,
        user_agent: device.userAgent,
        refresh_count: sql`case when ${isOver} then 1 else refresh_count + 1 end`,
        refresh_window_ends_at: sql`case when ${isOver} then ${now + windowMs} else refresh_window_ends_at end`,
        ...(proof ? columnsOf(eb, proof) : {}),
      }))
      .where('id', '=', sessionId)
      .where('generation', '=', generation)
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', now)
      .where((eb) => eb.or([isOver, eb('refresh_count', '<', refreshLimit.points)]));
  }

  /** Milliseconds until the session may refresh again; 0 if it may now. */
  private retryAfter({ refresh_count, refresh_window_ends_at }: Session, now: number): number {
    const { points, seconds } = this.options.refreshLimit;
    const left = refresh_window_ends_at - now;
    return refresh_count >= points && left > 0 && left <= seconds * 1000 ? left : 0;
  }
}

/** Verdicts for which tokens are issued. */
const TAKES_TOKENS: ReadonlySet<Verdict> = new Set(['rotate', 'replay', 'concurrent']);
