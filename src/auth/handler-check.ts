import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService } from '@nestjs/core';
import { hasOnceInterceptor } from './fresh-access/once.interceptor.js';
import { givesRoles } from './roles/roles.decorator.js';
import { requireDtos } from './guard/body-check.js';
import { type Handler, handlersOf } from './guard/handlers.js';
import { inheritsPolicy, routePolicyOf } from './guard/route-policies.js';
import { type HandlerKind } from './transports/transport-adapter.js';
import { Transports } from './transports/transports.js';

/** What calls handlers of a kind, and the entry of the package whose module brings them to the guard. */
const CALLERS: Record<Exclude<HandlerKind, 'http'>, readonly [calls: string, entry: string]> = {
  message: ['microservice messages', 'freshgate/microservices'],
  gateway: ['WebSocket messages', 'freshgate/websockets'],
  resolver: ['GraphQL operations', 'freshgate/graphql'],
  field: ['GraphQL fields', 'freshgate/graphql'],
};

/**
 * Stops the start if a declared policy cannot be enforced. Runs in the constructor, because `startAllMicroservices` may
 * handle messages before any lifecycle hook, and again at the end, for providers that factories create.
 */
@Injectable()
export class HandlerCheck implements OnApplicationBootstrap {
  /** @throws Error that names the handler */
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly config: ApplicationConfig,
    private readonly transports: Transports,
  ) {
    this.requirePolicies(handlersOf(this.discovery));
  }

  /** @throws Error that names the handler */
  onApplicationBootstrap(): void {
    const handlers = handlersOf(this.discovery);
    this.requirePolicies(handlers);
    requireDtos(handlers, this.config);
  }

  private requirePolicies(handlers: readonly Handler[]): void {
    for (const handler of handlers) {
      requireRolesInToken(handler);
      requireOnceInterceptor(handler);
      if (!this.transports.protects(handler.kind)) requirePublic(handler);
    }
  }
}

/** Refuses roles with a token that cannot have any: no request could pass. */
function requireRolesInToken({ prototype, member, name }: Handler): void {
  const { policy, roles } = routePolicyOf(prototype, member);
  if (roles.length === 0 || givesRoles(policy)) return;
  throw new Error(
    `${name} declares @Roles(${roles.join(', ')}), but ${policy.level} gives no roles: ` +
      'declare @Access() or @FreshAccess() beside it',
  );
}

/** For handlers of a transport that no module brings to the guard. */
function requirePublic({ prototype, member, name, kind }: Handler): void {
  const { policy } = routePolicyOf(prototype, member);
  if (kind === 'http' || policy.level === 'public' || inheritsPolicy(prototype, member)) return;
  const [calls, entry] = CALLERS[kind];
  throw new Error(
    `${name} handles ${calls}, which the guard does not protect (${policy.level}): import the module of ${entry}, ` +
      'or declare @Public() and check the token with the Authenticator',
  );
}

/** A class decorator that returns another class may leave the interceptor behind, and tokens would be used twice. */
function requireOnceInterceptor({ metatype, prototype, member, name, kind }: Handler): void {
  const { policy } = routePolicyOf(prototype, member);
  if (policy.level !== 'fresh-access' || !policy.once) return;
  // A list would use the token up with its first item.
  if (kind === 'field')
    throw new Error(`${name} declares once, which a GraphQL field cannot: declare it on the operation`);
  if (hasOnceInterceptor(metatype) && hasOnceInterceptor(prototype.constructor)) return;
  throw new Error(
    `${name} declares once, which a decorator of its class has lost: put that decorator below, or return a subclass`,
  );
}
