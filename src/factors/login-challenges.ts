import { Injectable } from '@nestjs/common';
import { JwtService, TokenExpiredError } from '@nestjs/jwt';
import { decode } from 'jsonwebtoken';
import { randomUUID } from 'node:crypto';
import { AuthOptions, Clock, type SeenUser, TokenError } from '../auth/index.js';
import { DerivedKeys } from '../keys/derived-keys.js';
import { KeyRing } from '../keys/key-ring.js';

/** No other JWT passes as a challenge, nor a challenge as another token (RFC 8725 §3.11). */
const TYP = 'lc+jwt';
const ALGORITHM = 'HS256';
export const CHALLENGE_SECONDS = 300;

/** A login that waits for its second factor. */
export interface LoginChallenge extends SeenUser {
  jti: string;
  /** Milliseconds. */
  expiresAt: number;
  /** RFC 8176: what has been proved. */
  amr: readonly string[];
  /** What the session is to be, in milliseconds. */
  sessionTtl?: number | undefined;
  accessTtl?: number | undefined;
}

interface Claims {
  sub: string;
  credential_version: number;
  amr: string[];
  session_ttl?: number;
  access_ttl?: number;
  jti: string;
  iat: number;
  exp: number;
}

/** Issues and reads challenges: JWTs, so that nothing is stored before the last factor. */
@Injectable()
export class LoginChallenges {
  private readonly keys: DerivedKeys;

  constructor(
    keys: KeyRing,
    private readonly clock: Clock,
    private readonly jwt: JwtService,
    private readonly options: AuthOptions,
  ) {
    this.keys = new DerivedKeys('freshgate login challenge', keys, clock);
  }

  issue(login: Omit<LoginChallenge, 'jti' | 'expiresAt'>): string {
    const { kid, secret } = this.keys.current();
    const iat = Math.floor(this.clock.now() / 1000);
    const claims: Claims = {
      sub: login.id,
      credential_version: login.credentialVersion,
      amr: [...login.amr],
      ...(login.sessionTtl === undefined ? {} : { session_ttl: login.sessionTtl }),
      ...(login.accessTtl === undefined ? {} : { access_ttl: login.accessTtl }),
      jti: randomUUID(),
      iat,
      exp: iat + CHALLENGE_SECONDS,
    };
    return this.jwt.sign(
      { iss: this.options.tokens.issuer, ...claims },
      { secret, algorithm: ALGORITHM, header: { alg: ALGORITHM, typ: TYP, kid } },
    );
  }

  /** @throws TokenError `token_expired`, `token_invalid` */
  read(challenge: string): LoginChallenge {
    const claims = this.verify(challenge);
    return {
      id: claims.sub,
      credentialVersion: claims.credential_version,
      amr: claims.amr,
      sessionTtl: claims.session_ttl,
      accessTtl: claims.access_ttl,
      jti: claims.jti,
      expiresAt: claims.exp * 1000,
    };
  }

  private verify(challenge: string): Claims {
    try {
      const header = decode(challenge, { complete: true })?.header;
      const secret = header?.typ === TYP && header.kid !== undefined ? this.keys.find(header.kid) : undefined;
      if (!secret) throw new Error('no key has made it');
      return this.jwt.verify<Claims & object>(challenge, {
        secret,
        algorithms: [ALGORITHM],
        issuer: this.options.tokens.issuer,
        clockTimestamp: Math.floor(this.clock.now() / 1000),
      });
    } catch (error) {
      const code = error instanceof TokenExpiredError ? 'token_expired' : 'token_invalid';
      throw new TokenError(code, `login challenge: ${(error as Error).message}`);
    }
  }
}
