import { Injectable } from '@nestjs/common';
import { type Session } from '../../sessions/sessions.table.js';
import { Clock, toNumericDate } from '../../time/clock.js';
import { type Proof } from '../../tokens/proof.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type Extras, requireContents, TokenIssuer } from '../../tokens/token-issuer.js';
import { type User } from '../../users/user-store.js';
import { type IssuedPair, type TokenPairDto } from '../dto/token-pair.dto.js';
import { SubjectMapper, TokenExtras } from '../hooks.js';

/** The contents of a user's tokens besides the session row; known before anything is written. */
export interface TokenContents {
  access: Contents;
  refresh: Contents;
  roles: readonly string[];
}

type Contents = Required<Extras> & { subject: string };

/** The part of a pair that is for the access token. */
export type IssuedAccess = Pick<TokenPairDto, 'access_token' | 'token_type' | 'expires_in'>;

export interface IssueOptions {
  /** What the user has just proved: the token is fresh and describes it. Null for a token that is not fresh. */
  proof: Proof | null;
  /** Milliseconds: the access token's life, instead of the one that is configured. */
  accessTtl?: number | undefined;
}

/** Issues tokens from a session row: the pair, or another access token. */
@Injectable()
export class TokenPairs {
  constructor(
    private readonly issuer: TokenIssuer,
    private readonly extras: TokenExtras,
    private readonly subjects: SubjectMapper,
    private readonly clock: Clock,
  ) {}

  /**
   * Calls the hooks. Do it before the transaction if the user is known by then: a hook that fails must not leave a session
   * without tokens. Claims of this call override those of the hooks.
   * @throws TypeError for an empty subject, or a reserved claim or header
   */
  async contents(user: User, own: Extras = {}): Promise<TokenContents> {
    const access = await this.contentsOf('access', user, own);
    const refresh = await this.contentsOf('refresh', user, own);
    return { access, refresh, roles: user.roles };
  }

  issue(session: Session, contents: TokenContents, options: IssueOptions): IssuedPair {
    const { subject, claims, headers } = contents.refresh;
    const refresh = this.issuer.issueRefresh({
      subject,
      claims,
      headers,
      sessionId: session.id,
      generation: session.generation,
      issuedAt: session.rotated_at,
      expiresAt: session.idle_expires_at,
    });
    const { access_token, token_type, expires_in } = this.issueAccess(session, contents, options);
    return {
      access_token,
      token_type,
      expires_in,
      refresh_token: refresh.token,
      refresh_expires_in: refresh.expiresAt - toNumericDate(this.clock.now()),
      sessionId: session.id,
    };
  }

  issueAccess(
    session: Session,
    { access, roles }: TokenContents,
    { proof, accessTtl }: IssueOptions,
  ): IssuedAccess {
    const { subject, claims, headers } = access;
    const { token, expiresAt } = this.issuer.issueAccess({
      subject,
      claims,
      headers,
      roles,
      sessionId: session.id,
      fresh: proof !== null,
      proof: proof ?? proofOf(session),
      notAfter: session.expires_at,
      ttl: accessTtl,
    });
    return {
      access_token: token,
      token_type: 'Bearer',
      expires_in: expiresAt - toNumericDate(this.clock.now()),
    };
  }

  private async contentsOf(kind: TokenKind, user: User, own: Extras): Promise<Contents> {
    const subject = await this.subjects.toSubject(user);
    const claims = await this.extras.claims(user, kind);
    const headers = await this.extras.headers(user, kind);
    const contents = {
      subject,
      claims: { ...claims, ...own.claims },
      headers: { ...headers, ...own.headers },
    };
    requireContents(contents);
    return contents;
  }
}

/** The strongest proof of the session, and of these the latest. */
export function proofOf({ acr, amr, auth_time }: Session): Proof {
  return { acr, amr: amr.split(' '), at: auth_time };
}
