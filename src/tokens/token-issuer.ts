import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { v7 as uuidv7 } from 'uuid';
import { Clock, toNumericDate } from './clock.js';
import { KeyRing } from './key-ring.js';
import { type AccessClaims, type ClaimsOf, type RefreshClaims, type TokenKind } from './token-claims.js';
import { TokenOptions } from './token-options.js';
import { TYP_OF } from './token-verifier.js';

export interface AccessGrant {
  userId: string;
  sessionId: string;
  fresh: boolean;
  /** Milliseconds, as every time here. */
  authTime: number;
  /** RFC 8176; how the user proved who they are. */
  amr: string[];
  roles?: readonly string[];
  /** The session's end, past which no token of it lives. */
  notAfter: number;
}

export interface RefreshGrant {
  userId: string;
  sessionId: string;
  generation: number;
  /** When this generation was made: a replay of it gets the same `iat`, `exp` and `jti` again. */
  issuedAt: number;
  expiresAt: number;
}

export interface IssuedToken {
  token: string;
  /** NumericDate. */
  expiresAt: number;
}

/** Signs tokens. Keys are passed explicitly: given none, `JwtService` would fall back to the module's secret. */
@Injectable()
export class TokenIssuer {
  constructor(
    private readonly keys: KeyRing,
    private readonly clock: Clock,
    private readonly jwt: JwtService,
    private readonly options: TokenOptions,
  ) {}

  issueAccess(grant: AccessGrant): IssuedToken {
    const now = this.clock.now();
    return this.sign<AccessClaims>('access', {
      sub: grant.userId,
      sid: grant.sessionId,
      jti: uuidv7(),
      iat: toNumericDate(now),
      exp: toNumericDate(this.accessExpiry(grant.notAfter, now)),
      fresh: grant.fresh,
      auth_time: toNumericDate(grant.authTime),
      amr: grant.amr,
      ...(grant.roles?.length ? { roles: [...grant.roles] } : {}),
    });
  }

  issueRefresh(grant: RefreshGrant): IssuedToken {
    return this.sign<RefreshClaims>('refresh', {
      sub: grant.userId,
      sid: grant.sessionId,
      gen: grant.generation,
      // Derived, so that every replay of a generation is the same token: the session and the counter name it.
      jti: `${grant.sessionId}.${grant.generation}`,
      iat: toNumericDate(grant.issuedAt),
      exp: toNumericDate(grant.expiresAt),
    });
  }

  /** When an access token issued at `now` for a session that ends at `notAfter` expires (all milliseconds). */
  accessExpiry(notAfter: number, now: number): number {
    return Math.min(now + this.options.accessTtl, notAfter);
  }

  private sign<C extends ClaimsOf[TokenKind]>(
    kind: C['type'],
    claims: Omit<C, 'iss' | 'aud' | 'type'> & { exp: number },
  ): IssuedToken {
    const { kid, alg, signWith } = this.keys.signingKey(kind);
    const { issuer, audience } = this.options;
    const token = this.jwt.sign(
      { iss: issuer, aud: audience, type: kind, ...claims },
      { privateKey: signWith, algorithm: alg, header: { alg, kid, typ: TYP_OF[kind] } },
    );
    return { token, expiresAt: claims.exp };
  }
}
