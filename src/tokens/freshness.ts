import { toNumericDate } from '../time/clock.js';

/** Seconds by which the clocks of two instances may differ; a proof from further in the future proves nothing. */
const CLOCK_TOLERANCE = 2;

/**
 * The headline rule: a token is fresh when it came from proving the password (never from a refresh) and that
 * proof is no older than `maxAge` (milliseconds) at `now`. Activity cannot renew it, because only login,
 * reauthentication and a password change move `auth_time` (RFC 9470 §6.1).
 */
export function isFresh(claims: { fresh: boolean; auth_time: number }, maxAge: number, now: number): boolean {
  const age = toNumericDate(now) - claims.auth_time;
  return claims.fresh && age >= -CLOCK_TOLERANCE && age <= Math.floor(maxAge / 1000);
}
