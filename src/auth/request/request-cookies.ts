import { parseCookieHeader } from '@nestjs/core/helpers/cookies/parse-cookie-header.js';
import { type AuthRequest } from './auth-request.js';

/**
 * Returns all values of a cookie name, without empty ones. The usual parsers keep the first of several,
 * which a sub-domain or another path may have planted; the caller must see that there are several.
 */
export function cookiesNamed({ headers }: Pick<AuthRequest, 'headers'>, name: string): string[] {
  return (headers.cookie ?? '')
    .split(';')
    .map((pair) => parseCookieHeader(pair)[name])
    .filter((value) => value !== undefined && value !== '') as string[];
}
