import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import {
  FIELD_TYPENAME,
  GRAPHQL_MODULE_OPTIONS,
  type GqlModuleOptions,
  RESOLVER_REFERENCE_METADATA,
} from '@nestjs/graphql';
import { type Handler, handlersOf, inheritsPolicy, methodOf, routePolicyOf } from '../auth/internals.js';

const ENHANCERS = ['guards', 'filters'] as const;

/** Stops the start for a field that declares its own protection, if Nest would not call the guard for fields. */
@Injectable()
export class FieldCheck implements OnModuleInit {
  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws Error that names the field */
  onModuleInit(): void {
    const field = handlersOf(this.discovery).find(needsEnhancers);
    if (!field || this.options().every(callsGuards)) return;
    throw new Error(
      `${field.name} declares its own protection, but the guard is not called for fields: ` +
        "add fieldResolverEnhancers: ['guards', 'filters'] to GraphQLModule.forRoot()",
    );
  }

  private options(): GqlModuleOptions[] {
    return this.discovery
      .getProviders()
      .filter(({ token }) => token === GRAPHQL_MODULE_OPTIONS)
      .map(({ instance }) => instance as GqlModuleOptions);
  }
}

function needsEnhancers({ kind, prototype, member }: Handler): boolean {
  if (routePolicyOf(prototype, member).policy.level === 'public') return false;
  // Tells the type of an object only; Nest never calls guards for it.
  if (kind === 'field') return member !== FIELD_TYPENAME && !inheritsPolicy(prototype, member);
  const method = methodOf(prototype, member);
  return (
    kind === 'resolver' && method !== undefined && Reflect.hasMetadata(RESOLVER_REFERENCE_METADATA, method)
  );
}

function callsGuards({ fieldResolverEnhancers = [] }: GqlModuleOptions): boolean {
  return ENHANCERS.every((enhancer) => fieldResolverEnhancers.includes(enhancer));
}
