import { Injectable } from '@nestjs/common';
import { JwtService } from '@nestjs/jwt';
import { randomBytes } from 'node:crypto';
import { type ApiError, AuthOptions, Clock, TokenError, validationFailed } from '../auth/index.js';
import { ChallengeTokens, KeyRing } from '../auth/internals.js';
import { type Tx } from '../database/index.js';
import { UsedTokens } from '../sessions/used-tokens.js';

/** WebAuthn §13.4.3 asks for 16 bytes or more. */
const CHALLENGE_BYTES = 32;

/** The purpose of a challenge, and its user and session. A challenge for anything else is refused. */
export type ChallengePurpose =
  | { purpose: 'login' }
  | { purpose: 'step-up'; userId: string; sessionId: string }
  | { purpose: 'register'; userId: string; sessionId: string };

/** A challenge that was sent back. */
export interface ReadChallenge {
  /** The bytes that the authenticator must have signed, in base64url. They also identify the token, which is used once. */
  bytes: string;
  /** Milliseconds. */
  expiresAt: number;
  /** The user handle and credential version of a registration. */
  handle?: string | undefined;
  credentialVersion?: number | undefined;
}

interface Claims {
  purpose: ChallengePurpose['purpose'];
  sub?: string;
  sid?: string;
  handle?: string;
  credential_version?: number;
}

/** Issues and reads challenges, so that nothing is stored before a passkey is verified. */
@Injectable()
export class PasskeyChallenges {
  private readonly tokens: ChallengeTokens<Claims>;

  constructor(
    keys: KeyRing,
    private readonly used: UsedTokens,
    clock: Clock,
    jwt: JwtService,
    { tokens: { issuer } }: AuthOptions,
  ) {
    const kind = { name: 'passkey challenge', typ: 'pk+jwt' };
    this.tokens = new ChallengeTokens(kind, keys, clock, jwt, issuer);
  }

  /** @returns the token, and the bytes for the authenticator in base64url */
  issue(
    wanted: ChallengePurpose,
    more: Pick<ReadChallenge, 'handle' | 'credentialVersion'> = {},
  ): { challenge: string; bytes: Buffer } {
    const bytes = randomBytes(CHALLENGE_BYTES);
    const challenge = this.tokens.sign({
      purpose: wanted.purpose,
      ...(wanted.purpose === 'login' ? {} : { sub: wanted.userId, sid: wanted.sessionId }),
      ...(more.handle === undefined ? {} : { handle: more.handle }),
      ...(more.credentialVersion === undefined ? {} : { credential_version: more.credentialVersion }),
      jti: bytes.toString('base64url'),
    });
    return { challenge, bytes };
  }

  /** @throws ApiError `validation_failed` if it is not ours, has expired, or has another purpose */
  read(challenge: string, wanted: ChallengePurpose): ReadChallenge {
    const claims = this.verify(challenge);
    const { sub, sid } = claims;
    const isForUs =
      wanted.purpose === 'login' ? sub === undefined : sub === wanted.userId && sid === wanted.sessionId;
    if (claims.purpose !== wanted.purpose || !isForUs)
      throw wrongChallenge('was issued for something else, or for another session; ask for new options');
    return {
      bytes: claims.jti,
      expiresAt: claims.exp * 1000,
      handle: claims.handle,
      credentialVersion: claims.credential_version,
    };
  }

  /** Call it in the transaction that the challenge protects. @throws ApiError `validation_failed` if it was used */
  async spend(tx: Tx, { bytes, expiresAt }: ReadChallenge): Promise<void> {
    if (!(await this.used.claim(bytes, expiresAt, tx)))
      throw wrongChallenge('has been used; ask for new options');
  }

  private verify(challenge: string): ReturnType<ChallengeTokens<Claims>['verify']> {
    try {
      return this.tokens.verify(challenge);
    } catch (error) {
      const hasExpired = error instanceof TokenError && error.code === 'token_expired';
      throw wrongChallenge(
        hasExpired ? 'has expired; ask for new options' : 'is not a challenge of this server',
      );
    }
  }
}

/** Not 401, which a client would read as the end of its session. */
export function wrongChallenge(message: string): ApiError {
  return validationFailed([{ field: 'challenge', messages: [`challenge ${message}`] }]);
}
