import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { randomUUID } from 'node:crypto';
import { Clock, toNumericDate } from '../time/clock.js';
import { KeyRing } from '../keys/key-ring.js';
import { type Proof } from './proof.js';
import { RESERVED_CLAIMS, type TokenKind } from './token-claims.js';
import { TokenOptions } from './token-options.js';
import { TYP_OF } from './token-verifier.js';

/** What the application adds to a token. */
export interface Extras {
  claims?: Readonly<Record<string, unknown>>;
  headers?: Readonly<Record<string, unknown>>;
}

export interface AccessGrant extends Extras {
  /** The `sub`. */
  subject: string;
  sessionId: string;
  fresh: boolean;
  proof: Proof;
  roles?: readonly string[];
  /** Milliseconds, as every time here: when the session expires; no token of it lives longer. */
  notAfter: number;
  /** Lifetime of the token, instead of the configured one. */
  ttl?: number | undefined;
}

export interface RefreshGrant extends Extras {
  subject: string;
  sessionId: string;
  generation: number;
  /** When this generation began: a replay of it gets the same `iat`, `exp` and `jti`. */
  issuedAt: number;
  expiresAt: number;
}

export interface IssuedToken {
  token: string;
  /** NumericDate. */
  expiresAt: number;
}

/** JOSE members that decide how a token is read (RFC 7515 §4.1); they never come from the application. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set(
  'alg kid typ cty crit b64 jku jwk x5u x5c x5t x5t#S256 enc zip'.split(' '),
);

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
    const { notAfter, proof, ttl = this.options.accessTtl } = grant;
    // Zero is refused: the token would have expired already; in other products zero means that it never expires.
    if (!(ttl >= 1000))
      throw new RangeError(`the lifetime of an access token must be at least 1s, not ${ttl} ms`);
    const now = this.clock.now();
    return this.sign('access', grant, {
      jti: randomUUID(),
      iat: toNumericDate(now),
      exp: toNumericDate(Math.min(now + ttl, notAfter)),
      fresh: grant.fresh,
      acr: proof.acr,
      auth_time: toNumericDate(proof.at),
      amr: [...proof.amr],
      ...(grant.roles?.length ? { roles: [...grant.roles] } : {}),
    });
  }

  issueRefresh(grant: RefreshGrant): IssuedToken {
    return this.sign('refresh', grant, {
      gen: grant.generation,
      // Derived from session and generation, so that every replay of a generation returns the same token.
      jti: `${grant.sessionId}.${grant.generation}`,
      iat: toNumericDate(grant.issuedAt),
      exp: toNumericDate(grant.expiresAt),
    });
  }

  private sign(
    kind: TokenKind,
    { subject, sessionId, claims: extraClaims = {}, headers = {} }: AccessGrant | RefreshGrant,
    claims: { iat: number; exp: number; [claim: string]: unknown },
  ): IssuedToken {
    requireContents({ subject, claims: extraClaims, headers });
    const { kid, alg, signWith } = this.keys.signingKey(kind, this.clock.now());
    const { issuer, audience, notBefore } = this.options;
    const token = this.jwt.sign(
      {
        ...extraClaims,
        iss: issuer,
        aud: audience.length === 1 ? audience[0] : audience,
        type: kind,
        sub: subject,
        sid: sessionId,
        ...(notBefore ? { nbf: claims.iat } : {}),
        ...claims,
      },
      { privateKey: signWith, algorithm: alg, header: { ...headers, alg, kid, typ: TYP_OF[kind] } },
    );
    return { token, expiresAt: claims.exp };
  }
}

/**
 * Checked when the token is issued. If it was refused only at its use, a user would find the mistake much later.
 * @throws TypeError for a subject that is not a non-empty string, or a reserved name
 */
export function requireContents({ subject, claims = {}, headers = {} }: Extras & { subject: unknown }): void {
  if (typeof subject !== 'string' || subject === '') {
    throw new TypeError(`the subject of a token must be a non-empty string, not ${JSON.stringify(subject)}`);
  }
  refuseReserved('claim', claims, RESERVED_CLAIMS);
  refuseReserved('header', headers, RESERVED_HEADERS);
}

/** The guards decide by `fresh`, `exp` and `type`: nothing may overwrite them. */
function refuseReserved(what: string, extras: object, reserved: ReadonlySet<string>): void {
  const name = Object.keys(extras).find((key) => reserved.has(key));
  if (name !== undefined)
    throw new TypeError(`the ${what} "${name}" is reserved; choose another name for it`);
}
