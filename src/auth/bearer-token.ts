import { TokenError } from '../tokens/token.errors.js';
import { type AuthRequest } from './auth-request.js';

/**
 * The token in `Authorization: Bearer …` (RFC 6750 §2.1), or null when there is none or another scheme is used.
 * The scheme is case-insensitive (RFC 9110 §11.1).
 * @throws TokenError `token_invalid` for what is not one token: choosing one of several is how filters are bypassed
 */
export function bearerToken(request: AuthRequest): string | null {
  const header = request.headers.authorization;
  if (header === undefined) return null;
  if (countAuthorizationHeaders(request) > 1)
    throw new TokenError('token_invalid', 'two Authorization headers');
  const [, scheme = '', token = ''] = /^ *([^ ]*) *(.*?) *$/.exec(header) ?? [];
  if (scheme.toLowerCase() !== 'bearer' || token === '') return null;
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TokenError('token_invalid', 'the bearer token is not one word of ASCII');
  return token;
}

/** Node keeps the first of several `Authorization` headers in `headers`; only the raw list shows the others. */
function countAuthorizationHeaders(request: AuthRequest): number {
  const raw = request.raw?.rawHeaders ?? request.rawHeaders ?? [];
  return raw.filter((entry, i) => i % 2 === 0 && entry.toLowerCase() === 'authorization').length;
}
