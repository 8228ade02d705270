import { decode, type JwtHeader, type JwtPayload } from 'jsonwebtoken';

export type Claims = JwtPayload & { sid: string; roles?: string[] };

/** What a token says; nothing of it is checked. */
export function claimsOf(token: string): Claims {
  return decode(token) as Claims;
}

export function headerOf(token: string): JwtHeader {
  const decoded = decode(token, { complete: true });
  if (!decoded) throw new Error('not a JWT');
  return decoded.header;
}
