import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService } from '@nestjs/core';
import { RESOLVER_TYPE_METADATA, SUBSCRIPTION_TYPE } from '@nestjs/graphql';
import { map, type Observable } from 'rxjs';
import { ErrorFilter } from '../auth/index.js';
import { checksOf, handlersOf, methodOf, requestOf, TokenWatch } from '../auth/internals.js';
import { EndingIterator } from './ending-iterator.js';
import { toGraphqlError } from './graphql-error.js';

/**
 * Ends a subscription with an error when its token expires or its session is revoked. A global interceptor, because a
 * resolver that declares nothing has no decorator of ours; registered only if there is a subscription.
 */
@Injectable()
export class SubscriptionInterceptor implements NestInterceptor {
  constructor(
    discovery: DiscoveryService,
    config: ApplicationConfig,
    private readonly watch: TokenWatch,
    private readonly filter: ErrorFilter,
  ) {
    const handlers = handlersOf(discovery).map(({ prototype, member }) => methodOf(prototype, member));
    if (handlers.some((handler) => handler && isSubscription(handler))) config.useGlobalInterceptors(this);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType<string>() !== 'graphql' || !isSubscription(context.getHandler()))
      return next.handle();
    const { authInfo, authPolicy } = requestOf(context);
    if (!authInfo) return next.handle();
    const what = `subscription ${context.getClass().name}.${context.getHandler().name}`;
    return next.handle().pipe(
      map((source: unknown) => {
        if (!isIterable(source)) return source;
        const events = new EndingIterator(source);
        const stop = this.watch.until(
          authInfo,
          (error) => events.end(toGraphqlError(this.filter.explain(error, what))),
          checksOf(authPolicy),
        );
        events.onDone(stop);
        return events;
      }),
    );
  }
}

/** GraphQL itself refuses any other source and reports why. */
function isIterable(source: unknown): source is AsyncIterable<unknown> | AsyncIterator<unknown> {
  return (
    typeof source === 'object' && source !== null && (Symbol.asyncIterator in source || 'next' in source)
  );
}

function isSubscription(handler: Function): boolean {
  return Reflect.getMetadata(RESOLVER_TYPE_METADATA, handler) === SUBSCRIPTION_TYPE;
}
