import { Declarations } from '../declarations.js';
import { type AuthPolicy, DEFAULT_POLICY } from '../request/auth-policy.js';
import { TOKEN_LOCATIONS } from '../request/presented-token.js';
import { kindsOf } from './handlers.js';

const policies = new Declarations<AuthPolicy>(
  'freshgate:auth-policy',
  'declares its protection twice; keep one of the decorators',
);

/** Levels that accept a request without a token. */
const OPEN_LEVELS: ReadonlySet<AuthPolicy['level']> = new Set(['public', 'optional-access']);

/**
 * Declares the protection of a controller or of one handler; a handler's overrides its class's.
 * @throws Error at load time when one target declares two
 * @throws RangeError at load time for an empty or unknown list of locations
 */
export function declarePolicy(policy: AuthPolicy): ClassDecorator & MethodDecorator {
  const { locations } = policy.level === 'public' ? {} : policy;
  if (locations?.length === 0 || locations?.some((location) => !TOKEN_LOCATIONS.includes(location))) {
    throw new RangeError(`locations must list some of ${TOKEN_LOCATIONS.join(', ')}`);
  }
  return (target: object, member?: string | symbol) => policies.declare(policy, target, member);
}

/**
 * Finds the policy of a handler: its own declaration or that of the method it overrides, then its class's, then that of
 * the nearest base class. `@Public()` and `@OptionalAccess()` on a base class open only the handlers of that class: a new
 * handler of a subclass must not be open because of a decorator in another file.
 */
export function policyOf(prototype: object, member: string | symbol): AuthPolicy {
  const own = policies.ofMember(prototype, member);
  if (own) return own;
  const fromClass = policies
    .ofClasses(prototype)
    .find(
      ({ value, prototype: declaring }) =>
        declaring === prototype || !OPEN_LEVELS.has(value.level) || kindsOf(declaring, member).length > 0,
    );
  return fromClass?.value ?? DEFAULT_POLICY;
}

/** Whether the handler or one of its classes declares a policy, so that it is not the default. */
export function declaresPolicy(prototype: object, member: string | symbol): boolean {
  return policies.ofMember(prototype, member) !== undefined || policies.ofClasses(prototype).length > 0;
}
