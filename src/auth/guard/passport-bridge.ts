import { type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { Strategy, type StrategyOptionsWithRequest } from 'passport-jwt';
import { toTokenError, type TokenVerifier } from '../../tokens/token-verifier.js';
import { type AuthRequest, requestOf } from '../request/auth-request.js';
import { requireSingleToken } from './token-reader.js';

/** Options of all three passport-jwt strategies: the token that the guard found, and one set of verification rules. */
export function strategyOptions(verifier: TokenVerifier): StrategyOptionsWithRequest {
  const { algorithms, audience, ignoreExpiration, ...jsonWebTokenOptions } = verifier.libraryOptions;
  return {
    jwtFromRequest: (request: AuthRequest) => request.presented?.token ?? null,
    secretOrKeyProvider: (_request: unknown, token: string, done) => {
      try {
        // A KeyObject: the library accepts it, but its type definitions do not.
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
 * While one request waits for the database, the next would replace its callbacks: the first request would get no answer,
 * and the second one the first user's. So each attempt gets an object of its own here.
 */
export class TokenStrategy extends Strategy {
  override authenticate(...args: Parameters<Strategy['authenticate']>): void {
    const { success, fail, error } = this as unknown as Record<'success' | 'fail' | 'error', unknown>;
    const attempt = Object.assign(Object.create(this) as this, { success, fail, error });
    super.authenticate.apply(attempt, args);
  }
}

/**
 * A Passport guard with its strategy's instance, not its name: Passport's registry of names is global to the process, so
 * with two applications the later one's strategy, keys and database would answer for both.
 */
export abstract class TokenGuard extends AuthGuard() {
  constructor(strategy: TokenStrategy) {
    super({ defaultStrategy: strategy });
  }

  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const { presented } = requestOf(context);
    if (presented) requireSingleToken(presented);
    return super.canActivate(context) as Promise<boolean>;
  }

  /** Returns the request of any transport; Passport finds those of HTTP only. */
  override getRequest(context: ExecutionContext): AuthRequest {
    return requestOf(context);
  }

  /** Keeps the reason of a refusal as a `TokenError`; Passport would answer a bare 401. */
  override handleRequest<T>(error: unknown, user: T | false | null, info: unknown): T {
    if (error) throw error;
    if (!user) throw toTokenError(info);
    return user;
  }
}
