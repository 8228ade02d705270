import { Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { FieldCheck } from './field-check.js';
import { GraphqlTransport } from './graphql-transport.js';
import { SubscriptionInterceptor } from './subscription.interceptor.js';

/**
 * Import it beside `GraphQLModule`: queries, mutations, subscriptions and field resolvers are then protected by what they
 * declare, by default an access token.
 */
@Module({
  imports: [DiscoveryModule],
  providers: [GraphqlTransport, FieldCheck, SubscriptionInterceptor],
})
export class GraphqlAuthModule {}
