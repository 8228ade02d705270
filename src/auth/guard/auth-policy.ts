import { Reflector } from '@nestjs/core';
import { type TokenKind } from '../../tokens/token-claims.js';
import { TOKEN_LOCATIONS, type TokenLocation } from '../options/auth-options.js';

/** Where a route looks for its token. */
export interface LocatedPolicy {
  /** In this order, instead of the application's. */
  locations?: readonly TokenLocation[];
}

/** What a route demands. */
export type AuthPolicy =
  | { level: 'public' }
  | (LocatedPolicy & {
      level: 'access' | 'optional-access';
      /** A token of a session that has ended is taken, as long as it has not expired. */
      skipRevocationCheck?: boolean;
    })
  | (LocatedPolicy & {
      level: 'fresh-access';
      /** Milliseconds; without it the application's `FRESH_MAX_AGE`. */
      maxAge?: number;
      /** The token is spent by the first success. */
      once: boolean;
    })
  | (LocatedPolicy & {
      level: 'refresh';
      /** The handler itself decides on the session row, in its transaction: the guard reads no row. */
      rotates: boolean;
    })
  | (LocatedPolicy & {
      level: 'access-or-refresh';
      /** Also an expired token, or one of a session that has ended: for logout alone. */
      allowRevoked: boolean;
    });

/** Which kinds of token open a route of each level, the more likely first. */
export const KINDS_OF: Record<Exclude<AuthPolicy['level'], 'public'>, readonly TokenKind[]> = {
  access: ['access'],
  'optional-access': ['access'],
  'fresh-access': ['access'],
  refresh: ['refresh'],
  'access-or-refresh': ['access', 'refresh'],
};

/** A route that declares nothing needs an access token: forgetting a decorator never opens a door. */
export const DEFAULT_POLICY: AuthPolicy = { level: 'access' };

/** The one metadata key. Applied through `declarePolicy` only. */
const Policy = Reflector.createDecorator<AuthPolicy>({ key: 'freshgate:auth-policy' });

/**
 * Declares the protection of a controller or of one handler; a handler's overrides its class's.
 * @throws Error at load time when one target declares two: which of them holds would depend on their order; and
 * RangeError for locations in which nothing can be found
 */
export function declarePolicy(policy: AuthPolicy): ClassDecorator & MethodDecorator {
  const { locations } = policy.level === 'public' ? {} : policy;
  if (locations?.length === 0 || locations?.some((location) => !TOKEN_LOCATIONS.includes(location))) {
    throw new RangeError(`locations must list some of ${TOKEN_LOCATIONS.join(', ')}`);
  }
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
