/**
 * The work that no refresh can do without: one HTTP exchange, the HMAC of the token that comes, one conditional UPDATE
 * with the durability that we have, the ES256 and the HMAC of the tokens that go. By hand, and nothing is looked at.
 */
import {
  createHmac,
  createPrivateKey,
  createSecretKey,
  randomUUID,
  sign,
  timingSafeEqual,
} from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import Libsql from 'libsql';
import pg from 'pg';
import { answerJson, listen } from './listen.mjs';

const { DATABASE_URL = '', AUTH_KEYS_FILE = '' } = process.env;
/** @type {{ keys: any[] }} */
const { keys } = JSON.parse(readFileSync(AUTH_KEYS_FILE, 'utf8'));
const [es256, hs256] = ['ES256', 'HS256'].map((alg) => keys.find((jwk) => jwk.alg === alg));
const privateKey = createPrivateKey({ key: es256, format: 'jwk' });
const secret = createSecretKey(Buffer.from(hs256.k, 'base64url'));
const [accessHeader, refreshHeader] = [
  encode({ alg: 'ES256', kid: es256.kid, typ: 'at+jwt' }),
  encode({ alg: 'HS256', kid: hs256.kid, typ: 'rt+jwt' }),
];
const advance = DATABASE_URL.startsWith('file:') ? openSqlite() : openPostgres();

await listen(createServer((request, response) => void answer(request, response)));

/** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
async function answer(request, response) {
  const claims = claimsOf((request.headers.authorization ?? '').slice('Bearer '.length));
  const changed = claims ? await advance(claims.sid, claims.gen, Date.now()) : 0;
  if (changed === 1) answerJson(response, 200, pair(claims));
  else answerJson(response, 401, { statusCode: 401 });
}

/** @param {object} value */
function encode(value) {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** @param {string} text */
function hmac(text) {
  return createHmac('sha256', secret).update(text).digest();
}

/** @param {string} token */
function claimsOf(token) {
  const end = token.lastIndexOf('.');
  const given = Buffer.from(token.slice(end + 1), 'base64url');
  const right = hmac(token.slice(0, end));
  if (given.length !== right.length || !timingSafeEqual(given, right)) return undefined;
  return JSON.parse(Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url').toString());
}

/** @param {any} claims */
function pair(claims) {
  const iat = Math.floor(Date.now() / 1000);
  const { gen, jti: _, ...both } = claims;
  const access = `${accessHeader}.${encode({ ...both, type: 'access', jti: randomUUID(), iat, exp: iat + 900, fresh: false, auth_time: iat, acr: 'pwd', amr: ['pwd'] })}`;
  const refresh = `${refreshHeader}.${encode({ ...both, gen: gen + 1, jti: `${both.sid}.${gen + 1}`, iat })}`;
  const signature = sign('sha256', Buffer.from(access), { key: privateKey, dsaEncoding: 'ieee-p1363' });
  return {
    access_token: `${access}.${signature.toString('base64url')}`,
    token_type: 'Bearer',
    expires_in: 900,
    refresh_token: `${refresh}.${hmac(refresh).toString('base64url')}`,
    refresh_expires_in: both.exp - iat,
  };
}

/** @returns {(id: string, generation: number, now: number) => number} */
function openSqlite() {
  const database = new Libsql(DATABASE_URL.slice('file:'.length));
  database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL');
  const statement = database.prepare(
    `update sessions set generation = generation + 1, rotated_at = ?, last_used_at = ?
      where id = ? and generation = ? and revoked_at is null and expires_at > ?`,
  );
  return (id, generation, now) => statement.run(now, now, id, generation, now).changes;
}

/** @returns {(id: string, generation: number, now: number) => Promise<number>} */
function openPostgres() {
  const pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
  const text = `update sessions set generation = generation + 1, rotated_at = $1, last_used_at = $1
    where id = $2 and generation = $3 and revoked_at is null and expires_at > $1`;
  return async (id, generation, now) => (await pool.query(text, [now, id, generation])).rowCount ?? 0;
}
