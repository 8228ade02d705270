import { Reflector } from '@nestjs/core';

/** What a route demands. */
export type AuthPolicy =
  | { level: 'public' }
  | { level: 'access' }
  | { level: 'optional-access' }
  | {
      level: 'fresh-access';
      /** Milliseconds; without it the application's `FRESH_MAX_AGE`. */
      maxAge?: number;
      /** The token is spent by the first success. */
      once: boolean;
    }
  | {
      level: 'refresh';
      /** The handler itself decides on the session row, in its transaction: the guard reads no row. */
      rotates: boolean;
    }
  | {
      level: 'access-or-refresh';
      /** Also an expired token, or one of a session that has ended: for logout alone. */
      evenIfEnded: boolean;
    };

/** A route that declares nothing needs an access token: forgetting a decorator never opens a door. */
export const DEFAULT_POLICY: AuthPolicy = { level: 'access' };

/** The one metadata key. Applied through `declarePolicy` only. */
const Policy = Reflector.createDecorator<AuthPolicy>({ key: 'freshgate:auth-policy' });

/**
 * Declares the protection of a controller or of one handler; a handler's overrides its class's.
 * @throws Error at load time when one target declares two: which of them holds would depend on their order
 */
export function declarePolicy(policy: AuthPolicy): ClassDecorator & MethodDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const subject = (descriptor?.value as object | undefined) ?? target;
    if (Reflect.hasOwnMetadata(Policy.KEY, subject)) {
      const name =
        key === undefined ? (target as { name: string }).name : `${target.constructor.name}.${String(key)}`;
      throw new Error(`${name} declares its protection twice; keep one of the decorators`);
    }
    Reflect.defineMetadata(Policy.KEY, policy, subject);
  };
}

export function policyOf(reflector: Reflector, handler: Function, controller: Function): AuthPolicy {
  return reflector.getAllAndOverride(Policy, [handler, controller]) ?? DEFAULT_POLICY;
}
