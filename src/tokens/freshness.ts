import { toNumericDate } from './clock.js';

/**
 * The headline rule: a token is fresh when it came from proving the password (never from a refresh) and that
 * proof is no older than `maxAge` (milliseconds) at `now`. Activity cannot renew it, because only login,
 * reauthentication and a password change move `auth_time` (RFC 9470 §6.1).
 */
export function isFresh(claims: { fresh: boolean; auth_time: number }, maxAge: number, now: number): boolean {
  return claims.fresh && toNumericDate(now) - claims.auth_time <= Math.floor(maxAge / 1000);
}
