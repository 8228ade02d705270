import { type ExecutionContext } from '@nestjs/common';
import { AuthGuard } from '@nestjs/passport';
import { type MaybePromise } from '../request/maybe-promise.js';
import { requireSingleToken } from './token-reader.js';
import { requestOf } from '../request/auth-request.js';
import { toTokenError } from '../../tokens/token-verifier.js';
import { type TokenStrategy } from './token.strategy.js';

/**
 * A Passport guard with its strategy's instance. Never its name: Passport's registry of names is global to the
 * process, so of two applications the later one's strategy (and keys, and database) would answer for both.
 */
export abstract class TokenGuard extends AuthGuard() {
  constructor(strategy: TokenStrategy) {
    super({ defaultStrategy: strategy });
  }

  override canActivate(context: ExecutionContext): MaybePromise<boolean> {
    const { presented } = requestOf(context);
    if (presented) requireSingleToken(presented);
    return super.canActivate(context) as Promise<boolean>;
  }

  /** Passport drops the reason on the way to a bare 401; here it becomes the error that the client can act on. */
  override handleRequest<T>(error: unknown, user: T | false | null, info: unknown): T {
    if (error) throw error;
    if (!user) throw toTokenError(info);
    return user;
  }
}
