import { applyDecorators, UseInterceptors } from '@nestjs/common';
import { parseDuration } from '../../time/duration.js';
import { declarePolicy, type LocatedPolicy } from '../guard/auth-policy.js';
import { OnceInterceptor } from './once.interceptor.js';

export interface FreshAccessOptions extends LocatedPolicy {
  /** How old the password proof may be, as a duration: `'5m'`. Default: the application's `FRESH_MAX_AGE`. */
  maxAge?: string;
  /** One use: after the first success the token is spent for every such route. */
  once?: boolean;
}

/**
 * An access token whose password proof is recent. Refused otherwise with an RFC 9470 challenge, which the client
 * answers with `POST /auth/reauthenticate`.
 * @throws RangeError at load time for a `maxAge` that is not a duration, or is zero: nothing could satisfy it
 */
export function FreshAccess({ maxAge, once = false, ...located }: FreshAccessOptions = {}): ClassDecorator &
  MethodDecorator {
  const limit = maxAge === undefined ? {} : { maxAge: parseDuration(maxAge) };
  if (limit.maxAge === 0) throw new RangeError('@FreshAccess: maxAge must be longer than 0s');
  const policy = declarePolicy({ level: 'fresh-access', once, ...limit, ...located });
  return once ? applyDecorators(policy, UseInterceptors(OnceInterceptor)) : policy;
}
