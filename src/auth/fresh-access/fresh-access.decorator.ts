import { UseInterceptors } from '@nestjs/common';
import { parseDuration } from '../../time/duration.js';
import { type Acr, requireAcr } from '../../tokens/proof.js';
import { declarePolicy } from '../guard/auth-policy.js';
import { type LocatedPolicy } from '../request/auth-policy.js';
import { hasOnceInterceptor, OnceInterceptor } from './once.interceptor.js';

export interface FreshAccessOptions extends LocatedPolicy {
  /** How old the proof may be, as a duration: `'5m'`. Default: the application's `FRESH_MAX_AGE`. */
  maxAge?: string;
  /** The level of that proof, or a stronger one: `'mfa'`. Default: any. */
  acr?: Acr;
  /** The first success uses the token up, for all `once` routes. */
  once?: boolean;
}

/**
 * Requires an access token whose proof is recent, and strong enough. Refused otherwise with an RFC 9470 challenge, which
 * the client answers with `POST /auth/reauthenticate`.
 * @throws RangeError at load time for a `maxAge` that is not a duration or is zero, or an unknown `acr`
 */
export function FreshAccess({
  maxAge,
  acr,
  once = false,
  ...located
}: FreshAccessOptions = {}): ClassDecorator & MethodDecorator {
  const limit = {
    ...(maxAge === undefined ? {} : { maxAge: parseDuration(maxAge) }),
    ...(acr === undefined ? {} : { acr: requireAcr(acr) }),
  };
  if (limit.maxAge === 0) throw new RangeError('@FreshAccess: maxAge must be longer than 0s');
  const declare = declarePolicy({ level: 'fresh-access', once, ...limit, ...located });
  return (target: object, member?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (member === undefined) declare(target as Function);
    else declare(target, member, descriptor ?? {});
    const controller = member === undefined ? (target as Function) : target.constructor;
    // On the class: a decorator that replaces the method would lose an interceptor of the method.
    if (once && !hasOnceInterceptor(controller)) UseInterceptors(OnceInterceptor)(controller);
  };
}
