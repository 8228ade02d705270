import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
  Optional,
} from '@nestjs/common';
import { INTERCEPTORS_METADATA } from '@nestjs/common/constants.js';
import { HttpAdapterHost } from '@nestjs/core';
import { catchError, concatMap, from, type Observable, of } from 'rxjs';
import { UsedTokens } from '../../sessions/used-tokens.js';
import { TokenError } from '../../tokens/token.errors.js';
import { statusOf } from '../error.filter.js';
import { setRefusalHeaders } from '../errors/refusal-headers.js';
import { AuthOptions } from '../options/auth-options.js';
import { type AuthRequest, requestOf, responseOf } from '../request/auth-request.js';
import { type TokenClaims } from '../request/principal.js';

/**
 * Uses up the fresh token of a `once` route: claimed before the handler and its validation, after every guard (a
 * request that another guard refuses costs nothing). A 4xx answer gives the token back; success, a 5xx and a crash
 * keep it, because a handler that failed may have done its work.
 */
@Injectable()
export class OnceInterceptor implements NestInterceptor {
  /** Optional, so that a unit test of a controller need not provide it: without the guard nothing is claimed. */
  constructor(
    @Optional() @Inject(UsedTokens) private readonly usedTokens?: UsedTokens,
    @Optional() @Inject(HttpAdapterHost) private readonly host?: HttpAdapterHost,
    @Optional() @Inject(AuthOptions) private readonly options?: AuthOptions,
  ) {}

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const request = requestOf(context);
    // Another handler of the controller, or a subclass that adds the interceptor a second time.
    if (!usesTokenUp(request) || request.tokenUsed) return next.handle();
    const { jti } = await this.claimFor(context, request);

    const response = responseOf(context) as { statusCode: number } | undefined;
    return next.handle().pipe(
      concatMap((body) =>
        request.method === 'HEAD' || isClientError(response?.statusCode ?? 0)
          ? from(this.giveBack(jti, body))
          : of(body),
      ),
      catchError(async (error: unknown) => {
        if (isClientError(statusOf(error))) await this.usedTokens?.giveBack(jti);
        throw error;
      }),
    );
  }

  /** Also if a filter of the application answers, a used token gets its challenge. */
  private async claimFor(context: ExecutionContext, request: AuthRequest): Promise<TokenClaims> {
    try {
      return await this.claim(request);
    } catch (error) {
      const scheme = this.options?.locations.headerScheme ?? '';
      if (this.host && context.getType() === 'http')
        setRefusalHeaders(this.host.httpAdapter, responseOf(context), error, scheme);
      throw error;
    }
  }

  /** Claims the token; the guard calls it for event streams. @throws TokenError `fresh_token_required` for a used token */
  async claim(request: AuthRequest): Promise<TokenClaims> {
    const { authInfo, requiredProof } = request;
    const { usedTokens } = this;
    if (!authInfo || !usedTokens)
      throw new Error('@FreshAccess({ once: true }) needs the guard of AuthModule');
    const { jti, exp } = authInfo;
    if (!(await usedTokens.claim(jti, exp * 1000)))
      throw new TokenError('fresh_token_required', `token ${jti} has been used`, requiredProof);
    request.tokenUsed = true;
    return authInfo;
  }

  private async giveBack(jti: string, body: unknown): Promise<unknown> {
    await this.usedTokens?.giveBack(jti);
    return body;
  }
}

export function hasOnceInterceptor(controller: Function): boolean {
  const interceptors = Reflect.getMetadata(INTERCEPTORS_METADATA, controller) as unknown[] | undefined;
  return interceptors?.includes(OnceInterceptor) ?? false;
}

function usesTokenUp({ authPolicy }: AuthRequest): boolean {
  return authPolicy?.level === 'fresh-access' && authPolicy.once;
}

function isClientError(status: number): boolean {
  return status >= 400 && status < 500;
}
