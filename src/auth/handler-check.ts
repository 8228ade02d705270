import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { ApplicationConfig, DiscoveryService } from '@nestjs/core';
import { hasOnceInterceptor } from './fresh-access/once.interceptor.js';
import { givesRoles } from './roles/roles.decorator.js';
import { declaresPolicy } from './guard/auth-policy.js';
import { requireDtos } from './guard/body-check.js';
import { type Handler, handlersOf, type Transport } from './guard/handlers.js';
import { routePolicyOf } from './guard/route-policies.js';

const CALLED_BY: Record<Exclude<Transport, 'http'>, string> = {
  message: 'microservice messages',
  gateway: 'WebSocket messages',
  resolver: 'GraphQL operations',
  field: 'GraphQL fields',
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
  ) {
    this.requirePolicies();
  }

  /** @throws Error that names the handler */
  onApplicationBootstrap(): void {
    this.requirePolicies();
    requireDtos(handlersOf(this.discovery), this.config);
  }

  private requirePolicies(): void {
    for (const handler of handlersOf(this.discovery)) {
      requireRolesInToken(handler);
      requirePublicOutsideHttp(handler);
      requireOnceInterceptor(handler);
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

/**
 * The guard reads tokens from HTTP requests. Nest does not call it for gateways, nor for microservices of a hybrid
 * application unless they inherit its configuration. A field without a declaration has its operation's policy.
 */
function requirePublicOutsideHttp({ prototype, member, name, transport }: Handler): void {
  if (transport === 'http') return;
  const { policy } = routePolicyOf(prototype, member);
  if (policy.level === 'public' || (transport === 'field' && !declaresPolicy(prototype, member))) return;
  throw new Error(
    `${name} handles ${CALLED_BY[transport]}, which the guard does not protect (${policy.level}): ` +
      'declare @Public() and check the token with the Authenticator',
  );
}

/** A class decorator that returns another class may leave the interceptor behind, and tokens would be used twice. */
function requireOnceInterceptor({ metatype, prototype, member, name }: Handler): void {
  const { policy } = routePolicyOf(prototype, member);
  if (policy.level !== 'fresh-access' || !policy.once) return;
  if (hasOnceInterceptor(metatype) && hasOnceInterceptor(prototype.constructor)) return;
  throw new Error(
    `${name} declares once, which a decorator of its class has lost: put that decorator below, or return a subclass`,
  );
}
