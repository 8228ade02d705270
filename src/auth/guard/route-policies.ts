import { type ExecutionContext, Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { isDeepStrictEqual } from 'node:util';
import { type AuthPolicy } from '../request/auth-policy.js';
import { rolesOf } from '../roles/roles.decorator.js';
import { declaresPolicy, policyOf } from './auth-policy.js';
import { kindsOf, methodNamesOf, methodOf } from './handlers.js';

/** The protection of a route, as declared. */
export interface RoutePolicy {
  readonly policy: AuthPolicy;
  /** One of them is required. Empty: no role is required. */
  readonly roles: readonly string[];
}

export function routePolicyOf(prototype: object, member: string): RoutePolicy {
  return { policy: policyOf(prototype, member), roles: rolesOf(prototype, member) };
}

/** Whether a handler has the protection of its operation: a GraphQL field that declares none of its own. */
export function inheritsPolicy(prototype: object, member: string): boolean {
  const [kind, ...others] = kindsOf(prototype, member);
  const isField = kind === 'field' && others.length === 0;
  return isField && !declaresPolicy(prototype, member) && rolesOf(prototype, member).length === 0;
}

interface HandlerPolicy extends RoutePolicy {
  /** Whether the handler has the protection of its operation instead, if there is one. */
  readonly inherits: boolean;
}

/** Caches the policies of all routes, from their first request: reflection takes longer than the rest of the guard. */
@Injectable()
export class RoutePolicies {
  /** By controller, then by handler: an inherited handler may have another policy in each class. */
  private readonly read = new Map<Function, WeakMap<Function, HandlerPolicy>>();

  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws Error when the class has no member that is this function, or two with different declarations */
  of(context: ExecutionContext): HandlerPolicy {
    const controller = context.getClass();
    const handler = context.getHandler();
    let handlers = this.read.get(controller);
    if (!handlers) this.read.set(controller, (handlers = new WeakMap()));
    let declared = handlers.get(handler);
    if (!declared) handlers.set(handler, (declared = this.find(controller, handler)));
    return declared;
  }

  /** Nest gives the function that it calls; policies are declared by the name of the member. */
  private find(controller: Function, handler: Function): HandlerPolicy {
    const prototype = controller.prototype as object;
    const names = methodNamesOf(prototype);
    const ofClass = names.filter((name) => methodOf(prototype, name) === handler);
    const found = ofClass.length > 0 ? ofClass : this.namesOnInstances(prototype, names, handler);
    const [first, ...others] = found.map((name) => ({
      ...routePolicyOf(prototype, name),
      inherits: inheritsPolicy(prototype, name),
    }));
    if (!first) {
      throw new Error(
        `${controller.name}: the protection of a handler is unknown, because it is not a method of the class. ` +
          'Do not replace methods in the constructor of a request-scoped controller',
      );
    }
    if (others.some((other) => !isDeepStrictEqual(other, first)))
      throw new Error(
        `${controller.name}: ${found.join(' and ')} are one function with different protection; make them two`,
      );
    return first;
  }

  /** For functions that a constructor sets on its instance: `this.show = this.show.bind(this)`. */
  private namesOnInstances(prototype: object, names: string[], handler: Function): string[] {
    const instances = [...this.discovery.getControllers(), ...this.discovery.getProviders()]
      .map(({ instance }) => instance as unknown)
      .filter(
        (instance): instance is Record<string, unknown> =>
          typeof instance === 'object' && instance !== null && Object.getPrototypeOf(instance) === prototype,
      );
    return names.filter((name) =>
      instances.some((instance) => Object.getOwnPropertyDescriptor(instance, name)?.value === handler),
    );
  }
}
