import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { DiscoveryService, Reflector } from '@nestjs/core';
import { givesRoles } from '../roles/roles.decorator.js';
import { routesOf } from './routes.js';

/** Stops the start where a route asks for roles of a token that cannot hold any: nobody could ever call it. */
@Injectable()
export class RolesCheck implements OnApplicationBootstrap {
  constructor(
    private readonly discovery: DiscoveryService,
    private readonly reflector: Reflector,
  ) {}

  /** @throws Error that names the handler */
  onApplicationBootstrap(): void {
    for (const { handler, policy, roles } of routesOf(this.discovery, this.reflector)) {
      if (roles.length > 0 && !givesRoles(policy)) {
        throw new Error(
          `${handler} asks for @Roles(${roles.join(', ')}), but ${policy.level} gives no roles: ` +
            'declare @Access() or @FreshAccess() beside it',
        );
      }
    }
  }
}
