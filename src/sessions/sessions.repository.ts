import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Executor, type Param, Statement, type Tx } from '../database/index.js';
import { open, type Opening } from './open.js';
import { type Advance, advance, greatest, type Lives, renew, type TokenSession, used } from './advance.js';
import { classify, MADE_BY_PASSWORD_CHANGE, type Presented, type Verdict } from './rotation.js';
import { liveSessions, SessionRevoker } from './session-revoker.js';
import { SessionOptions } from './session-options.js';
import { type Session } from './sessions.table.js';

export interface Device {
  ip: string | null;
  userAgent: string | null;
}

export interface RotationRequest extends Presented {
  sessionId: string;
  /** Set where the password was just proved: `auth_time` becomes `now`. */
  passwordProved?: boolean;
}

/** How one session is to differ from others. Durations in milliseconds. */
export interface OpenOptions {
  /** RFC 8176: how the user proved who they are. */
  amr: readonly string[];
  sessionTtl?: number | undefined;
  accessTtl?: number | undefined;
}

/** What became of a rotation; with what the row now says where the client is to get tokens for it. */
export type Rotation =
  | { outcome: 'rotated' | 'replayed' | 'concurrent'; session: TokenSession }
  | { outcome: 'key_reused' | 'superseded' | 'reuse' | 'rolled_back' | 'revoked' };

/** The rows of `sessions`. Rotation, revocation and whatever proves a password meet on them, in one transaction. */
@Injectable()
export class Sessions {
  private readonly advancing = new Statement<Advance, TokenSession>((db, param) => advance(db, param, false));
  private readonly advancingProved = new Statement<Advance, TokenSession>((db, param) =>
    advance(db, param, true),
  );

  private readonly opening = new Statement<Opening, TokenSession>((db, param) => open(db, param));

  constructor(
    private readonly db: Database,
    private readonly options: SessionOptions,
    private readonly ends: SessionRevoker,
  ) {}

  async open(tx: Tx, opening: Opening): Promise<TokenSession> {
    const [session] = await this.opening.execute(tx, opening);
    if (!session) throw new Error('a session was inserted, and is not there');
    return session;
  }

  /** The row that a new session is to have. */
  toOpen(userId: string, { ip, userAgent }: Device, now: number, own: OpenOptions): Opening {
    const { sessionTtl = this.options.sessionTtl, accessTtl = this.options.accessTtl } = own;
    const { refreshTtl } = this.options;
    return {
      sessionId: uuidv7(),
      userId,
      ip,
      userAgent,
      now,
      amr: own.amr.join(' '),
      idleUntil: now + Math.min(refreshTtl, sessionTtl),
      accessUntil: now + Math.min(accessTtl, sessionTtl),
      until: now + sessionTtl,
    };
  }

  async find(id: string, db: Executor = this.db): Promise<Session | undefined> {
    return db.selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** The session, unless it has ended. Reads the row: authoritative, whatever is cached elsewhere. */
  async findLive(id: string, now: number): Promise<Session | undefined> {
    const session = await this.find(id);
    return session && session.revoked_at === null && session.expires_at > now ? session : undefined;
  }

  /**
   * Classifies a presented refresh token without rotating. Reuse ends the session there and then, so that no
   * password is ever checked for a token that is not its session's.
   */
  async inspect(tx: Tx, request: RotationRequest): Promise<Verdict> {
    const verdict = classify(await this.find(request.sessionId, tx), request, this.options.refreshGrace);
    if (verdict !== 'reuse' && verdict !== 'rolled_back') return verdict;
    // Of several that find it at once, one ends the session and tells of it.
    return (await this.ends.revoke(tx, request.sessionId, verdict, request.now)) ? verdict : 'revoked';
  }

  /** Advances the generation, or finds out why it cannot. Of N parallel requests exactly one advances it. */
  async rotate(tx: Tx, request: RotationRequest): Promise<Rotation> {
    const advancing = request.passwordProved ? this.advancingProved : this.advancing;
    const [rotated] = await advancing.execute(tx, this.toAdvance(request));
    if (rotated) return { outcome: 'rotated', session: rotated };

    let verdict = await this.inspect(tx, request);
    if (verdict === 'replay' || verdict === 'concurrent') {
      const session = await this.repeat(tx, request);
      if (session) return { outcome: verdict === 'replay' ? 'replayed' : 'concurrent', session };
      // Gone since it was read: ended, or advanced once more. Neither is undone, so the second look is the last.
      verdict = await this.inspect(tx, request);
    }
    // The generation never comes back: what could not be advanced a moment ago cannot be live now.
    if (verdict === 'rotate' || verdict === 'replay' || verdict === 'concurrent')
      throw new Error(`session ${request.sessionId}: generation moved backwards`);
    return { outcome: verdict };
  }

  /** The sessions of a user that live, the one used last first. */
  async listLive(userId: string, now: number): Promise<Session[]> {
    return liveSessions(this.db, userId, now)
      .selectAll()
      .orderBy('last_used_at', 'desc')
      .orderBy('id', 'desc')
      .execute();
  }

  /**
   * The next generation, whatever the live one is, with the password just changed: a refresh token from before
   * gets no successor, be it a thief's.
   */
  async renew(tx: Tx, id: string, now: number): Promise<TokenSession | undefined> {
    const values = { sessionId: id, keyHash: MADE_BY_PASSWORD_CHANGE, ...this.lives(now) };
    return renew(tx, valuesOf(values), true).executeTakeFirst();
  }

  /**
   * Another access token for a session that lives, until `until` (milliseconds) at the latest.
   * @returns undefined when it has ended
   */
  async extendAccess(tx: Tx, id: string, until: number, now: number): Promise<Session | undefined> {
    return tx
      .updateTable('sessions')
      .set((eb) => ({ last_used_at: now, access_until: greatest(eb, 'access_until', eb.val(until)) }))
      .where('id', '=', id)
      .where('revoked_at', 'is', null)
      .where('expires_at', '>', now)
      .returningAll()
      .executeTakeFirst();
  }

  /** What a request asks of the row. */
  toAdvance({ sessionId, generation, keyHash, now }: RotationRequest): Advance {
    return { sessionId, generation, keyHash, ...this.lives(now) };
  }

  /** The live generation once more, if the presented one is still its predecessor and the session lives. */
  private async repeat(tx: Tx, request: RotationRequest): Promise<Session | undefined> {
    const param = valuesOf(this.lives(request.now));
    return tx
      .updateTable('sessions')
      .set((eb) => used(eb, param, request.passwordProved ?? false))
      .where('id', '=', request.sessionId)
      .where('generation', '=', request.generation + 1)
      .where('revoked_at', 'is', null)
      .returningAll()
      .executeTakeFirst();
  }

  private lives(now: number): Lives {
    const { refreshTtl, accessTtl } = this.options;
    return { now, idleUntil: now + refreshTtl, accessUntil: now + accessTtl };
  }
}

/** For a statement that is built for these values alone. */
function valuesOf<P>(values: P): Param<P> {
  return (name) => sql.val(values[name]);
}
