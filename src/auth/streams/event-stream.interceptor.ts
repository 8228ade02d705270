import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { SSE_METADATA } from '@nestjs/common/constants.js';
import { ApplicationConfig, DiscoveryService } from '@nestjs/core';
import { Observable, takeUntil } from 'rxjs';
import { handlersOf, methodOf } from '../guard/handlers.js';
import { TokenWatch } from '../guard/token-watch.js';
import { requestOf } from '../request/auth-request.js';
import { checksOf } from '../request/auth-policy.js';

/**
 * Ends an `@Sse()` stream when its token expires or its session is revoked. A global interceptor, because a handler that
 * declares nothing has no decorator of ours; registered only in applications that have such a handler.
 */
@Injectable()
export class EventStreamInterceptor implements NestInterceptor {
  constructor(
    discovery: DiscoveryService,
    config: ApplicationConfig,
    private readonly watch: TokenWatch,
  ) {
    const handlers = handlersOf(discovery).map(({ prototype, member }) => methodOf(prototype, member));
    if (handlers.some((handler) => handler && isEventStream(handler))) config.useGlobalInterceptors(this);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const stream = next.handle();
    if (context.getType() !== 'http' || !isEventStream(context.getHandler())) return stream;
    const { authInfo, authPolicy } = requestOf(context);
    if (!authInfo) return stream;
    const end = new Observable<void>((subscriber) =>
      this.watch.until(authInfo, () => subscriber.next(), checksOf(authPolicy)),
    );
    return stream.pipe(takeUntil(end));
  }
}

/** Whether a handler answers with `@Sse()`. */
export function isEventStream(handler: Function): boolean {
  return Reflect.hasMetadata(SSE_METADATA, handler);
}
