import { Injectable } from '@nestjs/common';
import { JwtService, NotBeforeError, TokenExpiredError } from '@nestjs/jwt';
import { type Algorithm, type Jwt, type VerifyOptions } from 'jsonwebtoken';
import { Clock, toNumericDate } from '../time/clock.js';
import { KeyRing, type RingKey, SIGNING_ALGORITHMS } from '../keys/key-ring.js';
import {
  type AccessClaims,
  type ClaimsOf,
  parseClaims,
  parseForeignClaims,
  type RefreshClaims,
  type TokenKind,
} from './token-claims.js';
import { TokenError } from './token.errors.js';
import { TokenOptions } from './token-options.js';

/** The JOSE `typ` of each kind, so that no JWT made for something else passes (RFC 8725 §3.11, RFC 9068 §2.1). */
export const TYP_OF: Record<TokenKind, string> = { access: 'at+jwt', refresh: 'rt+jwt' };

/** `typ` of other issuers: RFC 9068 in both spellings, and `JWT`, which most providers use. */
const FOREIGN_TYPS = ['at+jwt', 'application/at+jwt', 'JWT', undefined];

/** Characters; ours have about 700. Without a bound, a stranger could make us parse megabytes. */
const MAX_TOKEN_LENGTH = 8192;
const CHARACTER = '[A-Za-z0-9_-]';
/**
 * Canonical base64url: groups of four, and a rest whose last character has no bits that a decoder drops. If such bits,
 * other characters or padding were accepted, one token would have many spellings.
 */
const SEGMENT = `(?:${CHARACTER}{4})*(?:${CHARACTER}{4}|${CHARACTER}{2}[AEIMQUYcgkosw048]|${CHARACTER}[AQgw])`;
const COMPACT_JWS = new RegExp(`^${SEGMENT}\\.${SEGMENT}\\.${SEGMENT}$`);

/** A key for tokens, not for the secrets of second factors. */
export type TokenKey = RingKey & { readonly kind: TokenKind };

/** The key that signed a token and its claims, which never change. Expiry and revocation are checked at each use. */
export interface VerifiedToken {
  readonly key: TokenKey;
  readonly claims: AccessClaims | RefreshClaims;
}

export interface ReadOptions {
  /** For logout only, which must be possible after the token has expired. */
  allowExpired?: boolean;
}

/**
 * Verifies tokens, for passport-jwt and for callers without a request. The order of the checks:
 * form, key and header, signature and audience (the library's part), claims, issuer, times, and last the kind.
 */
@Injectable()
export class TokenVerifier {
  /** Options of jsonwebtoken, which passport-jwt and @nestjs/jwt use. */
  readonly libraryOptions: VerifyOptions & {
    complete: true;
    audience: [string, ...string[]];
    algorithms: Algorithm[];
  };

  constructor(
    private readonly keys: KeyRing,
    private readonly clock: Clock,
    private readonly jwt: JwtService,
    private readonly options: TokenOptions,
  ) {
    const [audience = '', ...others] = [...options.audience, ...options.acceptAudiences];
    this.libraryOptions = {
      // Read once at the start, but keys change: `keyFor` checks that a token has the algorithm of its key.
      algorithms: [...SIGNING_ALGORITHMS],
      audience: [audience, ...others],
      // `read` checks expiry by our clock; for the library, a token without `exp` never expires.
      ignoreExpiration: true,
      ignoreNotBefore: true,
      complete: true,
    };
  }

  /** Verifies a token without a request. @throws TokenError */
  verify<K extends TokenKind>(kind: K, token: string, options?: ReadOptions): ClaimsOf[K] {
    return this.read(kind, this.verifySignature(token), options);
  }

  /** Checks key, signature, audience, claims and issuer; `read` checks the rest. @throws TokenError */
  verifySignature(token: string): VerifiedToken {
    const publicKey = this.keyFor(token).verifyWith as unknown as Buffer;
    let jwt: Jwt;
    try {
      jwt = this.jwt.verify<Jwt>(token, { ...this.libraryOptions, publicKey });
    } catch (error) {
      throw toTokenError(error);
    }
    return this.examine(jwt);
  }

  /** Checks what remains after the library has verified a token, in a strategy's `validate`. @throws TokenError */
  examine({ header, payload }: Jwt): VerifiedToken {
    const key = this.find(String(header.kid));
    if (!key) throw new TokenError('token_invalid', 'the key of the token has been retired');
    const claims = key.issuer === null ? parseClaims(key.kind, payload) : parseForeignClaims(payload);
    this.requireIssuer(key, claims.iss);
    // Frozen, because later requests may get the same object.
    return { key, claims: frozen(claims) };
  }

  /**
   * Finds the key that the token names by `kid`. The algorithm comes from that key, never from the token, which could say
   * `alg: none` or use a public key as an HMAC secret (RFC 8725 §3.1).
   * @throws TokenError `token_invalid`
   */
  keyFor(token: string): TokenKey {
    const header = readHeader(token);
    const key = typeof header.kid === 'string' ? this.find(header.kid) : undefined;
    if (!key) throw new TokenError('token_invalid', 'no key has the "kid" of the token');
    if (header.alg !== key.alg)
      throw new TokenError('token_invalid', `"alg" is not the algorithm of key ${key.kid}`);
    const types: unknown[] = key.issuer === null ? [TYP_OF[key.kind]] : FOREIGN_TYPS;
    if (!types.includes(header.typ))
      throw new TokenError('token_invalid', `"typ" is not ${types.join(' or ')}`);
    // RFC 7515 §4.1.11: `crit` lists extensions that the recipient must support. We support none.
    if ('crit' in header) throw new TokenError('token_invalid', '"crit" names an extension');
    return key;
  }

  /**
   * Returns the claims of a verified token, if it is valid now.
   * @throws TokenError `token_invalid`, `token_expired`, or `token_wrong_type` for a valid token of the other kind
   */
  read<K extends TokenKind>(kind: K, { claims }: VerifiedToken, options: ReadOptions = {}): ClaimsOf[K] {
    const now = toNumericDate(this.clock.now());
    const leeway = toNumericDate(this.options.leeway);
    if (claims.nbf !== undefined && claims.nbf - leeway > now) {
      throw new TokenError('token_invalid', `not valid before ${claims.nbf}`);
    }
    if (!options.allowExpired && claims.exp + leeway <= now) {
      throw new TokenError('token_expired', `expired at ${claims.exp}`);
    }
    if (claims.type !== kind)
      throw new TokenError('token_wrong_type', `expected ${kind}, got ${claims.type}`);
    return claims as ClaimsOf[K];
  }

  /** Whether the issuer is a foreign one: its users and sessions are never ours, even with the same ids. */
  isForeign({ iss }: { iss: string }): boolean {
    return iss !== this.options.issuer && !this.options.acceptIssuers.includes(iss);
  }

  private find(kid: string): TokenKey | undefined {
    const key = this.keys.find(kid, this.clock.now());
    return key && isTokenKey(key) ? key : undefined;
  }

  /** Each key verifies only the tokens of its issuer: a foreign key must not speak in our name. */
  private requireIssuer({ issuer, kid }: RingKey, iss: string): void {
    const isIts = issuer === null ? !this.isForeign({ iss }) : iss === issuer && this.isForeign({ iss });
    if (!isIts) throw new TokenError('token_invalid', `"iss" is not the issuer of key ${kid}`);
  }
}

function isTokenKey(key: RingKey): key is TokenKey {
  return key.kind !== 'factor';
}

/** Converts an error of the JWT library. */
export function toTokenError(error: unknown): TokenError {
  if (error instanceof TokenError) return error;
  if (error instanceof TokenExpiredError) return new TokenError('token_expired', error.message);
  if (error instanceof NotBeforeError) return new TokenError('token_invalid', error.message);
  return new TokenError('token_invalid', error instanceof Error ? error.message : String(error));
}

function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  for (const member of Object.values(value) as unknown[]) frozen(member);
  return Object.freeze(value);
}

function readHeader(token: string): Record<string, unknown> {
  if (token.length > MAX_TOKEN_LENGTH || !COMPACT_JWS.test(token)) {
    throw new TokenError('token_invalid', 'not a compact JWS of three base64url segments');
  }
  let header: unknown;
  try {
    header = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString());
  } catch {
    throw new TokenError('token_invalid', 'the JOSE header is not JSON');
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw new TokenError('token_invalid', 'the JOSE header is not an object');
  }
  return header as Record<string, unknown>;
}
