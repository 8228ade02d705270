import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { catchError, concatMap, from, type Observable, of } from 'rxjs';
import { UsedTokens } from '../../sessions/used-tokens.js';
import { TokenError } from '../../tokens/token.errors.js';
import { type AuthRequest, requestOf, responseOf } from '../request/auth-request.js';
import { statusOf } from '../error.filter.js';

/**
 * Spends the fresh token of a `once` route: claimed before the handler and its validation, after every guard (a
 * request that another guard refuses costs nothing). A 4xx answer gives the token back; success, a 5xx and a
 * crash keep it, because nobody knows what a handler that broke has done.
 */
@Injectable()
export class OnceInterceptor implements NestInterceptor {
  constructor(private readonly spent: UsedTokens) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = requestOf(context);
    const claims = request.authInfo;
    // A class may declare `once` and one of its handlers something else, or the same again.
    const once = request.authPolicy?.level === 'fresh-access' && request.authPolicy.once;
    if (!once || !claims || request.tokenSpent) return next.handle();
    await this.claim(claims.jti, claims.exp, request);
    request.tokenSpent = true;

    const response = responseOf(context) as { statusCode: number };
    return next.handle().pipe(
      concatMap((body) =>
        isClientError(response.statusCode) ? from(this.giveBack(claims.jti, body)) : of(body),
      ),
      catchError(async (error: unknown) => {
        if (isClientError(statusOf(error))) await this.spent.giveBack(claims.jti);
        throw error;
      }),
    );
  }

  private async claim(jti: string, expiresAt: number, request: AuthRequest): Promise<void> {
    if (await this.spent.claim(jti, expiresAt * 1000)) return;
    throw new TokenError('fresh_token_required', `token ${jti} has been spent`, request.freshMaxAge);
  }

  private async giveBack(jti: string, body: unknown): Promise<unknown> {
    await this.spent.giveBack(jti);
    return body;
  }
}

function isClientError(status: number): boolean {
  return status >= 400 && status < 500;
}
