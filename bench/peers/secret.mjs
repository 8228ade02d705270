/** What the peers sign with, and the tokens that they are shown: as long as ours, and alive as long. */
import { createHmac } from 'node:crypto';

export const SECRET = 'a string in a .env file, as most of them are';
export const AUDIENCE = 'freshgate';

/** An HS256 token. @param {number} n */
export function peerToken(n) {
  const iat = Math.floor(Date.now() / 1000);
  const id = n.toString(16).padStart(12, '0');
  const claims = {
    iss: AUDIENCE,
    aud: AUDIENCE,
    type: 'access',
    sub: `0198f000-0000-7000-8000-${id}`,
    sid: `0198f001-0000-7000-8000-${id}`,
    jti: `0198f003-0000-7000-8000-${id}`,
    iat,
    exp: iat + 86_400,
    fresh: false,
    auth_time: iat,
    amr: ['pwd'],
  };
  const text = [{ alg: 'HS256', typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}
