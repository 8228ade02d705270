import { Injectable } from '@nestjs/common';
import { Sessions } from '../../sessions/sessions.repository.js';
import { type Session } from '../../sessions/sessions.table.js';
import { Clock } from '../../time/clock.js';
import { TokenError } from '../../tokens/token.errors.js';

/** Refuses tokens of sessions that have ended, by reading the session's row. */
@Injectable()
export class LiveSessions {
  constructor(
    private readonly sessions: Sessions,
    private readonly clock: Clock,
  ) {}

  /** @throws TokenError `token_revoked` */
  async require(sessionId: string): Promise<Session> {
    const session = await this.sessions.findLive(sessionId, this.clock.now());
    if (!session) throw new TokenError('token_revoked', `session ${sessionId} has ended or is unknown`);
    return session;
  }
}
