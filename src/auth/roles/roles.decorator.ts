import { ROLE } from '../../users/user-store.js';
import { Declarations } from '../declarations.js';
import { ApiError } from '../errors/api-error.js';
import { type AuthPolicy } from '../request/auth-policy.js';
import { type Principal } from '../request/principal.js';

const requiredRoles = new Declarations<readonly string[]>(
  'freshgate:roles',
  'declares its roles twice; name them all in one @Roles',
);

/** Refresh tokens and anonymous requests have no roles: no request could pass. */
const LEVELS_WITH_ROLES: ReadonlySet<AuthPolicy['level']> = new Set(['access', 'fresh-access']);

/**
 * Requires a token with any of these roles, in addition to the route's protection. A handler's overrides its class's.
 * @throws RangeError at load time for no role at all, or an invalid name
 * @throws Error at load time when one target declares it twice
 */
export function Roles(...roles: string[]): ClassDecorator & MethodDecorator {
  if (roles.length === 0) throw new RangeError('@Roles: name at least one role');
  const wrong = roles.find((role) => !ROLE.test(role));
  if (wrong !== undefined) throw new RangeError(`@Roles: "${wrong}" is not 1 to 64 of a-z 0-9 . _ : -`);
  return (target: object, member?: string | symbol) => requiredRoles.declare(roles, target, member);
}

/** Returns the roles of which a handler requires one, or an empty list. Inherited like its policy. */
export function rolesOf(prototype: object, member: string | symbol): readonly string[] {
  return requiredRoles.ofMember(prototype, member) ?? requiredRoles.ofClasses(prototype)[0]?.value ?? [];
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
