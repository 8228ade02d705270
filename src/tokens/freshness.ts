import { toNumericDate } from '../time/clock.js';

/** Seconds by which the clocks of two instances may differ. A proof from further in the future is not fresh. */
const CLOCK_TOLERANCE_SECONDS = 2;

/**
 * A token is fresh if it was issued for a proof of the password, not by a refresh, and that proof is at most `maxAge`
 * (milliseconds) old. Activity does not renew it: only login, reauthentication and a password change move `auth_time`
 * (RFC 9470 §6.1).
 */
export function isFresh(claims: { fresh: boolean; auth_time: number }, maxAge: number, now: number): boolean {
  const age = toNumericDate(now) - claims.auth_time;
  return claims.fresh && age >= -CLOCK_TOLERANCE_SECONDS && age <= Math.floor(maxAge / 1000);
}
