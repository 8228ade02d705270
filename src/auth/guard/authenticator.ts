import { HttpException, Injectable } from '@nestjs/common';
import { decode, type Jwt } from 'jsonwebtoken';
import { parseDuration } from '../../time/duration.js';
import { type Acr, requireAcr } from '../../tokens/proof.js';
import { type AccessClaims, type RefreshClaims } from '../../tokens/token-claims.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { type Principal, type TokenClaims } from '../request/principal.js';
import { type Authentication, TokenAuthenticator } from './token-authenticator.js';

export interface DecodedToken {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
}

/** The state of a token; after RFC 7662 §2.2. */
export type Inspection =
  | { active: true; claims: TokenClaims; principal: Principal }
  | { active: false; errorCode: string; claims: TokenClaims | null };

/**
 * Checks tokens without a route: for gateways, jobs and custom guards. `access`, `freshAccess`, `refresh` and
 * `accessOrRefresh` throw what the guard of the same name would answer: a `TokenError` with its `code`.
 */
@Injectable()
export class Authenticator {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly authenticator: TokenAuthenticator,
  ) {}

  /** As `@Access()`. @throws TokenError, RangeError */
  async access(
    token: string,
    { acr, ...options }: { skipRevocationCheck?: boolean; acr?: Acr } = {},
  ): Promise<Authentication<AccessClaims>> {
    const required = acr === undefined ? {} : { acr: requireAcr(acr) };
    return this.authenticator.access(this.verifier.verifySignature(token), { ...options, ...required });
  }

  /** As `@FreshAccess()`; `maxAge` and `acr` as there. `once` needs a route. @throws TokenError, RangeError */
  async freshAccess(
    token: string,
    { maxAge, acr }: { maxAge?: string; acr?: Acr } = {},
  ): Promise<Authentication<AccessClaims>> {
    const limit = {
      ...(maxAge === undefined ? {} : { maxAge: parseDuration(maxAge) }),
      ...(acr === undefined ? {} : { acr: requireAcr(acr) }),
    };
    if (limit.maxAge === 0) throw new RangeError('maxAge must be longer than 0s');
    return this.authenticator.freshAccess(this.verifier.verifySignature(token), limit);
  }

  /** As `@Refresh()`: it does not rotate. @throws TokenError */
  async refresh(token: string): Promise<Authentication<RefreshClaims>> {
    return this.authenticator.refresh(this.verifier.verifySignature(token));
  }

  /** As `@AccessOrRefresh()`. @throws TokenError */
  async accessOrRefresh(token: string): Promise<Authentication> {
    return this.verifier.keyFor(token).kind === 'access' ? this.access(token) : this.refresh(token);
  }

  /** Decodes a token without checking anything. Null if it is not a JWT. */
  decode(token: string): DecodedToken | null {
    const decoded = decodeIfJson(token);
    if (!decoded || typeof decoded.payload !== 'object' || decoded.payload === null) return null;
    return { header: { ...decoded.header }, claims: decoded.payload };
  }

  /**
   * The claims of a token of either kind that we issued, and that has not expired unless `allowExpired` is set. Does
   * not check whether its session is revoked; `inspect`, `access` and `refresh` do.
   * @throws TokenError
   */
  verify(token: string, { allowExpired = false }: { allowExpired?: boolean } = {}): TokenClaims {
    const verified = this.verifier.verifySignature(token);
    return this.verifier.read(verified.key.kind, verified, { allowExpired });
  }

  /** Tells whether a token would be accepted now, by all checks of its kind. Never throws for an invalid token. */
  async inspect(token: string): Promise<Inspection> {
    try {
      return { active: true, ...(await this.accessOrRefresh(token)) };
    } catch (error) {
      const errorCode = refusalOf(error);
      if (errorCode === undefined) throw error;
      return { active: false, errorCode, claims: this.claimsIfOurs(token) };
    }
  }

  private claimsIfOurs(token: string): TokenClaims | null {
    try {
      return this.verify(token, { allowExpired: true });
    } catch {
      return null;
    }
  }
}

/** Returns the code of a refusal, also by the application's `TokenRule`; undefined for any other error. */
function refusalOf(error: unknown): string | undefined {
  const refused = error instanceof HttpException && error.getStatus() < 500;
  return refused ? (error.errorCode ?? 'refused') : undefined;
}

/** The library throws if the header says `typ: JWT` but the payload is not JSON. */
function decodeIfJson(token: string): Jwt | null {
  try {
    return decode(token, { complete: true });
  } catch {
    return null;
  }
}
