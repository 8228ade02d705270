import { type JwtService, TokenExpiredError } from '@nestjs/jwt';
import { decode } from 'jsonwebtoken';
import { DerivedKeys } from '../keys/derived-keys.js';
import { type KeyRing } from '../keys/key-ring.js';
import { type Clock, toNumericDate } from '../time/clock.js';
import { TokenError } from './token.errors.js';

const ALGORITHM = 'HS256';
/** How long a challenge can be answered. */
export const CHALLENGE_SECONDS = 300;

/** The name and type that distinguish the challenges of one purpose from all other tokens. */
export interface ChallengeKind {
  /** `login challenge`: a secret is derived for it. */
  readonly name: string;
  /** No other JWT passes as such a challenge, nor the challenge as another token (RFC 8725 §3.11). */
  readonly typ: string;
}

/** Signs and verifies the challenges of one purpose: JWTs, so that nothing is stored before they are answered. */
export class ChallengeTokens<Claims extends object> {
  private readonly keys: DerivedKeys;

  constructor(
    private readonly kind: ChallengeKind,
    keys: KeyRing,
    private readonly clock: Clock,
    private readonly jwt: JwtService,
    private readonly issuer: string,
  ) {
    this.keys = new DerivedKeys(`freshgate ${kind.name}`, keys, clock);
  }

  sign(claims: Claims & { jti: string }): string {
    const { kid, secret } = this.keys.current();
    const iat = toNumericDate(this.clock.now());
    return this.jwt.sign(
      { iss: this.issuer, ...claims, iat, exp: iat + CHALLENGE_SECONDS },
      { secret, algorithm: ALGORITHM, header: { alg: ALGORITHM, typ: this.kind.typ, kid } },
    );
  }

  /** @throws TokenError `token_expired`, `token_invalid` */
  verify(challenge: string): Claims & { jti: string; exp: number } {
    const { name, typ } = this.kind;
    try {
      const header = decode(challenge, { complete: true })?.header;
      const secret = header?.typ === typ && header.kid !== undefined ? this.keys.find(header.kid) : undefined;
      if (!secret) throw new Error('its key has been removed or does not exist');
      return this.jwt.verify<Claims & { jti: string; exp: number }>(challenge, {
        secret,
        algorithms: [ALGORITHM],
        issuer: this.issuer,
        clockTimestamp: toNumericDate(this.clock.now()),
      });
    } catch (error) {
      const code = error instanceof TokenExpiredError ? 'token_expired' : 'token_invalid';
      throw new TokenError(code, `${name}: ${(error as Error).message}`);
    }
  }
}
