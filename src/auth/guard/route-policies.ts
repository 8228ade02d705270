import { Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { type AuthPolicy, policyOf } from './auth-policy.js';
import { rolesOf } from '../roles/roles.decorator.js';

/** What a route says of who may enter. */
export interface RoutePolicy {
  readonly policy: AuthPolicy;
  /** Of which any one is needed; empty where none is. */
  readonly roles: readonly string[];
}

/** The declarations of all routes, each read when it is first needed: reflection takes longer than the whole guard. */
@Injectable()
export class RoutePolicies {
  /** By controller, then by handler: one that is inherited is another class's with another protection. */
  private readonly read = new Map<Function, Map<Function, RoutePolicy>>();

  constructor(private readonly reflector: Reflector) {}

  of(controller: Function, handler: Function): RoutePolicy {
    let handlers = this.read.get(controller);
    if (!handlers) this.read.set(controller, (handlers = new Map<Function, RoutePolicy>()));
    let declaration = handlers.get(handler);
    if (!declaration) {
      const { reflector } = this;
      declaration = {
        policy: policyOf(reflector, handler, controller),
        roles: rolesOf(reflector, handler, controller),
      };
      handlers.set(handler, declaration);
    }
    return declaration;
  }
}
