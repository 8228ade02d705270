import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { randomUUID } from 'node:crypto';
import { AuthOptions, Clock, type SeenUser } from '../auth/index.js';
import { ChallengeTokens, KeyRing } from '../auth/internals.js';

/** A login that waits for its second factor. */
export interface LoginChallenge extends SeenUser {
  jti: string;
  /** Milliseconds. */
  expiresAt: number;
  /** RFC 8176: the methods that have been proved. */
  amr: readonly string[];
  /** The lifetimes of the session that the login opens, in milliseconds. */
  sessionTtl?: number | undefined;
  accessTtl?: number | undefined;
}

interface Claims {
  sub: string;
  credential_version: number;
  amr: string[];
  session_ttl?: number;
  access_ttl?: number;
}

/** Issues and reads challenges, so that nothing is stored before the last factor. */
@Injectable()
export class LoginChallenges {
  private readonly tokens: ChallengeTokens<Claims>;

  constructor(keys: KeyRing, clock: Clock, jwt: JwtService, { tokens: { issuer } }: AuthOptions) {
    const kind = { name: 'login challenge', typ: 'lc+jwt' };
    this.tokens = new ChallengeTokens(kind, keys, clock, jwt, issuer);
  }

  issue(login: Omit<LoginChallenge, 'jti' | 'expiresAt'>): string {
    return this.tokens.sign({
      sub: login.id,
      credential_version: login.credentialVersion,
      amr: [...login.amr],
      ...(login.sessionTtl === undefined ? {} : { session_ttl: login.sessionTtl }),
      ...(login.accessTtl === undefined ? {} : { access_ttl: login.accessTtl }),
      jti: randomUUID(),
    });
  }

  /** @throws TokenError `token_expired`, `token_invalid` */
  read(challenge: string): LoginChallenge {
    const claims = this.tokens.verify(challenge);
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
}
