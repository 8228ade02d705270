import { Reflector } from '@nestjs/core';
import { ROLE } from '../../users/user-store.js';
import { ApiError } from '../errors/api-error.js';
import { type AuthPolicy } from '../guard/auth-policy.js';
import { type Principal } from '../request/principal.js';

/** The metadata key. Applied through `Roles` only. */
const RequiredRoles = Reflector.createDecorator<readonly string[]>({ key: 'freshgate:roles' });

/** Refresh tokens hold no roles, and an anonymous request has none: nobody would ever enter. */
const LEVELS_WITH_ROLES: ReadonlySet<AuthPolicy['level']> = new Set(['access', 'fresh-access']);

/**
 * A token that holds any of these roles, beside what the route demands of it otherwise. A handler's overrides its
 * class's.
 * @throws RangeError at load time for no role at all, or a name that no role has
 * @throws Error at load time when one target declares it twice: which of them holds would depend on their order
 */
export function Roles(...roles: string[]): ClassDecorator & MethodDecorator {
  if (roles.length === 0) throw new RangeError('@Roles: name at least one role');
  const wrong = roles.find((role) => !ROLE.test(role));
  if (wrong !== undefined) throw new RangeError(`@Roles: "${wrong}" is not 1 to 64 of a-z 0-9 . _ : -`);
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor) => {
    const subject = (descriptor?.value as object | undefined) ?? target;
    if (Reflect.hasOwnMetadata(RequiredRoles.KEY, subject)) {
      const name =
        key === undefined ? (target as { name: string }).name : `${target.constructor.name}.${String(key)}`;
      throw new Error(`${name} declares its roles twice; name them all in one @Roles`);
    }
    Reflect.defineMetadata(RequiredRoles.KEY, roles, subject);
  };
}

/** The roles of which a route needs any one; none where it does not ask. */
export function rolesOf(reflector: Reflector, handler: Function, controller: Function): readonly string[] {
  return reflector.getAllAndOverride(RequiredRoles, [handler, controller]) ?? [];
}

export function givesRoles({ level }: AuthPolicy): boolean {
  return LEVELS_WITH_ROLES.has(level);
}

/** @throws ApiError `insufficient_role`, with the challenge of RFC 6750 §3.1 */
export function requireRole(needed: readonly string[], user: Principal | undefined): void {
  if (needed.length === 0 || needed.some((role) => user?.roles.includes(role))) return;
  const message = 'The token has none of the roles that this needs';
  throw new ApiError(403, 'insufficient_role', message, {
    challenge: { error: 'insufficient_scope', error_description: message },
    reason: `needs ${needed.join(' or ')}, has ${user?.roles.join(', ') || 'none'}`,
  });
}
