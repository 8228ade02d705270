import { Injectable } from '@nestjs/common';
import { JwtService, TokenExpiredError } from '@nestjs/jwt';
import { decode } from 'jsonwebtoken';
import { randomBytes } from 'node:crypto';
import { type ApiError, AuthOptions, Clock, validationFailed } from '../auth/index.js';
import { type Tx } from '../database/index.js';
import { DerivedKeys } from '../keys/derived-keys.js';
import { KeyRing } from '../keys/key-ring.js';
import { UsedTokens } from '../sessions/used-tokens.js';

/** No other JWT passes as a challenge, nor a challenge as another token (RFC 8725 §3.11). */
const TYP = 'pk+jwt';
const ALGORITHM = 'HS256';
const CHALLENGE_SECONDS = 300;
/** WebAuthn §13.4.3 asks for 16 bytes or more. */
const CHALLENGE_BYTES = 32;

/** What a challenge is for, and for whom. One that was made for anything else is refused. */
export type ChallengePurpose =
  | { purpose: 'login' }
  | { purpose: 'step-up'; userId: string; sessionId: string }
  | { purpose: 'register'; userId: string; sessionId: string };

/** A challenge that was sent back. */
export interface ReadChallenge {
  /** What the authenticator must have signed, in base64url. It names the token too, so that it is spent once. */
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
  jti: string;
  exp: number;
}

/** Issues and reads challenges: JWTs, so that nothing is stored before a passkey is verified. */
@Injectable()
export class PasskeyChallenges {
  private readonly keys: DerivedKeys;

  constructor(
    keys: KeyRing,
    private readonly used: UsedTokens,
    private readonly clock: Clock,
    private readonly jwt: JwtService,
    private readonly options: AuthOptions,
  ) {
    this.keys = new DerivedKeys('freshgate passkey challenge', keys, clock);
  }

  /** @returns the token, and the bytes for the authenticator in base64url */
  issue(
    wanted: ChallengePurpose,
    more: Pick<ReadChallenge, 'handle' | 'credentialVersion'> = {},
  ): { challenge: string; bytes: Buffer } {
    const { kid, secret } = this.keys.current();
    const bytes = randomBytes(CHALLENGE_BYTES);
    const iat = Math.floor(this.clock.now() / 1000);
    const claims = {
      iss: this.options.tokens.issuer,
      purpose: wanted.purpose,
      ...(wanted.purpose === 'login' ? {} : { sub: wanted.userId, sid: wanted.sessionId }),
      ...(more.handle === undefined ? {} : { handle: more.handle }),
      ...(more.credentialVersion === undefined ? {} : { credential_version: more.credentialVersion }),
      jti: bytes.toString('base64url'),
      iat,
      exp: iat + CHALLENGE_SECONDS,
    };
    const challenge = this.jwt.sign(claims, {
      secret,
      algorithm: ALGORITHM,
      header: { alg: ALGORITHM, typ: TYP, kid },
    });
    return { challenge, bytes };
  }

  /** @throws ApiError `validation_failed` if it is no challenge of ours, has expired, or is for something else */
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

  /** Call it in the transaction of what the challenge is for. @throws ApiError `validation_failed` if it was used */
  async spend(tx: Tx, { bytes, expiresAt }: ReadChallenge): Promise<void> {
    if (!(await this.used.claim(bytes, expiresAt, tx)))
      throw wrongChallenge('has been used; ask for new options');
  }

  private verify(challenge: string): Claims {
    try {
      const header = decode(challenge, { complete: true })?.header;
      const secret = header?.typ === TYP && header.kid !== undefined ? this.keys.find(header.kid) : undefined;
      if (!secret) throw new Error('no key has made it');
      return this.jwt.verify<Claims>(challenge, {
        secret,
        algorithms: [ALGORITHM],
        issuer: this.options.tokens.issuer,
        clockTimestamp: Math.floor(this.clock.now() / 1000),
      });
    } catch (error) {
      throw wrongChallenge(
        error instanceof TokenExpiredError
          ? 'has expired; ask for new options'
          : 'is not a challenge of this server',
      );
    }
  }
}

/** Not 401: a client would take that for the end of its session. */
export function wrongChallenge(message: string): ApiError {
  return validationFailed([{ field: 'challenge', messages: [`challenge ${message}`] }]);
}
