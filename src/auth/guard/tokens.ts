import { HttpException, Injectable } from '@nestjs/common';
import { decode, type Jwt } from 'jsonwebtoken';
import { TokenError } from '../../tokens/token.errors.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { Authenticator } from './authenticator.js';
import { type Principal, type TokenClaims } from '../request/principal.js';

export interface DecodedToken {
  header: Readonly<Record<string, unknown>>;
  claims: Readonly<Record<string, unknown>>;
}

/** What is known of a token; after RFC 7662 §2.2. */
export type Inspection =
  | { active: true; claims: TokenClaims; principal: Principal }
  | { active: false; errorCode: string; claims: TokenClaims | null };

/** The code of a refusal, be it by a `TokenCheck` of the application; undefined for what is no news of the token. */
function refusalOf(error: unknown): string | undefined {
  if (error instanceof TokenError) return error.code;
  const refused = error instanceof HttpException && error.getStatus() < 500;
  return refused ? (error.errorCode ?? 'refused') : undefined;
}

/** Looks into tokens without a request. */
@Injectable()
export class Tokens {
  constructor(
    private readonly verifier: TokenVerifier,
    private readonly authenticator: Authenticator,
  ) {}

  /** What a token says, whoever made it: nothing is checked. Null when it is no JWT. */
  decode(token: string): DecodedToken | null {
    const decoded = decodeIfJson(token);
    if (!decoded || typeof decoded.payload !== 'object' || decoded.payload === null) return null;
    return { header: { ...decoded.header }, claims: decoded.payload };
  }

  /**
   * The claims of a token that is ours, of either kind, and has not expired unless `evenExpired` says so. Whether its
   * session lives is not looked at; `inspect` and the `Authenticator` do.
   * @throws TokenError
   */
  verify(token: string, { evenExpired = false }: { evenExpired?: boolean } = {}): TokenClaims {
    const verified = this.verifier.verifySignature(token);
    return this.verifier.read(verified.key.kind, verified, { evenExpired });
  }

  /** Whether a token would be let in now, by all checks of its kind; never throws for what is wrong with the token. */
  async inspect(token: string): Promise<Inspection> {
    try {
      return { active: true, ...(await this.authenticator.accessOrRefresh(token)) };
    } catch (error) {
      const errorCode = refusalOf(error);
      if (errorCode === undefined) throw error;
      return { active: false, errorCode, claims: this.claimsIfOurs(token) };
    }
  }

  private claimsIfOurs(token: string): TokenClaims | null {
    try {
      return this.verify(token, { evenExpired: true });
    } catch {
      return null;
    }
  }
}

/** The library throws where a header says `typ: JWT` and no JSON follows. */
function decodeIfJson(token: string): Jwt | null {
  try {
    return decode(token, { complete: true });
  } catch {
    return null;
  }
}
