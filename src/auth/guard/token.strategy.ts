import { Strategy, type StrategyOptionsWithRequest } from 'passport-jwt';
import { type TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest } from '../request/auth-request.js';

/** What the three passport-jwt strategies share: the token that the guard found, and one set of verification rules. */
export function strategyOptions(verifier: TokenVerifier): StrategyOptionsWithRequest {
  const { algorithms, audience, ignoreExpiration, ...jsonWebTokenOptions } = verifier.libraryOptions;
  return {
    jwtFromRequest: (request: AuthRequest) => request.presented?.token ?? null,
    secretOrKeyProvider: (_request: unknown, token: string, done) => {
      try {
        // A KeyObject: the library takes it, its type definitions do not know it yet.
        done(null, verifier.keyFor(token).verifyWith as unknown as Buffer);
      } catch (error) {
        done(error);
      }
    },
    algorithms,
    audience,
    ignoreExpiration,
    jsonWebTokenOptions,
    passReqToCallback: true,
  };
}

/**
 * passport-jwt's strategy, safe to share between requests. Given a strategy's name, Passport makes an object for
 * each attempt; given an instance, it writes each attempt's `success`, `fail` and `error` onto that one instance.
 * While one request waits for the database, the next one's callbacks would replace its own: the first would never
 * be answered, and the second would become whoever the first one was. So each attempt gets its object here.
 */
export class TokenStrategy extends Strategy {
  override authenticate(...args: Parameters<Strategy['authenticate']>): void {
    const { success, fail, error } = this as unknown as Record<'success' | 'fail' | 'error', unknown>;
    const attempt = Object.assign(Object.create(this) as this, { success, fail, error });
    super.authenticate.apply(attempt, args);
  }
}
