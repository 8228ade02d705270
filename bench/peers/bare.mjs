/** node:http, and an HMAC that is checked by hand: as little as a guarded answer can cost. */
import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';
import { ANSWER } from './answer.mjs';
import { answerJson, listen } from './listen.mjs';
import { SECRET } from './secret.mjs';

const key = createSecretKey(Buffer.from(SECRET));

/** @param {string | undefined} header */
function claimsOf(header) {
  if (!header?.startsWith('Bearer ')) return undefined;
  const token = header.slice('Bearer '.length);
  const end = token.lastIndexOf('.');
  const given = Buffer.from(token.slice(end + 1), 'base64url');
  const right = createHmac('sha256', key).update(token.slice(0, end)).digest();
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  const claims = JSON.parse(Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url').toString());
  return claims.exp > Date.now() / 1000 ? claims : undefined;
}

await listen(
  createServer((request, response) => {
    const claims = claimsOf(request.headers.authorization);
    if (claims) answerJson(response, 200, ANSWER);
    else answerJson(response, 401, { statusCode: 401 });
  }),
);
