import { Injectable } from '@nestjs/common';
import { type Session } from '../../sessions/sessions.table.js';
import { Clock, toNumericDate } from '../../tokens/clock.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type Extras, TokenIssuer } from '../../tokens/token-issuer.js';
import { type User } from '../../users/user-store.js';
import { type TokenPairDto } from '../dto/token-pair.dto.js';
import { Subjects, TokenExtras } from '../hooks.js';

/** A token pair, with the session that it is for. */
export interface IssuedPair extends TokenPairDto {
  sessionId: string;
  /** After a login with a password: what the device shows at its next one. */
  device?: string;
}

/** What one issue of tokens says beyond the session's row. */
export interface IssueOptions extends Extras {
  /** Whether the user has just been authenticated. */
  fresh: boolean;
  /** Milliseconds: the access token's life, instead of the one that is configured. */
  accessTtl?: number | undefined;
}

/** Signs what a session's row says: the pair, or another access token. */
@Injectable()
export class TokenPairs {
  constructor(
    private readonly issuer: TokenIssuer,
    private readonly extras: TokenExtras,
    private readonly subjects: Subjects,
    private readonly clock: Clock,
  ) {}

  async issue(session: Session, user: User, options: IssueOptions): Promise<IssuedPair> {
    const { access_token, token_type, expires_in } = await this.issueAccess(session, user, options);
    const refresh = this.issuer.issueRefresh({
      ...(await this.subject(session, user, 'refresh', options)),
      generation: session.generation,
      issuedAt: session.rotated_at,
      expiresAt: session.idle_expires_at,
    });
    return {
      access_token,
      token_type,
      expires_in,
      refresh_token: refresh.token,
      refresh_expires_in: refresh.expiresAt - toNumericDate(this.clock.now()),
      sessionId: session.id,
    };
  }

  async issueAccess(
    session: Session,
    user: User,
    options: IssueOptions,
  ): Promise<Pick<TokenPairDto, 'access_token' | 'token_type' | 'expires_in'>> {
    const { token, expiresAt } = this.issuer.issueAccess({
      ...(await this.subject(session, user, 'access', options)),
      fresh: options.fresh,
      roles: user.roles,
      authTime: session.auth_time,
      amr: session.amr.split(' '),
      notAfter: session.expires_at,
      ...(options.accessTtl === undefined ? {} : { ttl: options.accessTtl }),
    });
    return {
      access_token: token,
      token_type: 'Bearer',
      expires_in: expiresAt - toNumericDate(this.clock.now()),
    };
  }

  /** What both kinds say; what a call adds goes above what is added for every token of the user. */
  private async subject(session: Session, user: User, kind: TokenKind, { claims, headers }: Extras) {
    return {
      subject: await this.subjects.toSubject(user),
      sessionId: session.id,
      claims: { ...(await this.extras.claims(user, kind)), ...claims },
      headers: { ...(await this.extras.headers(user, kind)), ...headers },
    };
  }
}
