import { type StrategyOptionsWithRequest } from 'passport-jwt';
import { type TokenVerifier } from '../../tokens/token-verifier.js';
import { bearerToken } from '../bearer-token.js';

/** What the three passport-jwt strategies share: where the token is, and the one set of verification rules. */
export function strategyOptions(verifier: TokenVerifier): StrategyOptionsWithRequest {
  const { algorithms, issuer, audience, ignoreExpiration, ...jsonWebTokenOptions } = verifier.libraryOptions;
  return {
    jwtFromRequest: bearerToken,
    secretOrKeyProvider: (_request: unknown, token: string, done) => {
      try {
        // A KeyObject: the library takes it, its type definitions do not know it yet.
        done(null, verifier.keyFor(token).verifyWith as unknown as Buffer);
      } catch (error) {
        done(error);
      }
    },
    algorithms,
    issuer,
    audience,
    ignoreExpiration,
    jsonWebTokenOptions,
    passReqToCallback: true,
  };
}
