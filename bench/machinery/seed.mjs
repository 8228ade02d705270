/**
 * Fills a database as after long use, and issues tokens with the product's own issuer. A separate process,
 * so that it leaves nothing in the memory of the measured processes.
 */
import { NestFactory } from '@nestjs/core';
import { hash } from '@node-rs/argon2';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dist, loadProduct, ofProduct } from '../peers/product.mjs';
import { PASSWORD, username } from './usernames.mjs';

/** Far fewer than the limit per user, so that logins revoke none. */
const SESSIONS_PER_USER = 10;

const { sql } = ofProduct('kysely');

const { folder, ...stock } = /** @type {import('./stock.mjs').Stock & { folder: string }} */ (
  JSON.parse(process.argv[2] ?? '')
);
const { Database } = await dist('database/index.js');
const { TokenIssuer } = await dist('tokens/token-issuer.js');
const { config, appModule } = await loadProduct();
const { AuthOptions } = await dist('auth/options/auth-options.js');
const app = await NestFactory.createApplicationContext(appModule, { logger: false });
const db = app.get(Database, { strict: false });
const issuer = app.get(TokenIssuer, { strict: false });

const DAY = 86_400_000;
const now = Date.now();
const users = Math.ceil(stock.live / SESSIONS_PER_USER);
const passwordHash = await hash(PASSWORD, { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 });

/** Ids in the order of their creation: UUIDv7 begins with the time. */
const PREFIX = {
  user: '0198f000-0000-7000-8000-',
  live: '0198f001-0000-7000-8000-',
  ended: '0198f002-0000-7000-8000-',
};
/** @param {keyof typeof PREFIX} what @param {number} i */
const id = (what, i) => PREFIX[what] + i.toString(16).padStart(12, '0');
/** @param {keyof typeof PREFIX} what @param {import('kysely').RawBuilder<unknown>} i */
const idOf = (what, i) =>
  db.engine === 'sqlite'
    ? sql`${PREFIX[what]} || printf('%012x', ${i})`
    : sql`${PREFIX[what]}::text || lpad(to_hex(${i}), 12, '0')`;
/** @param {number} count */
const numbers = (count) =>
  sql`with recursive numbers(i) as (select 0 union all select i + 1 from numbers where i + 1 < ${sql.lit(count)})`;

/** @param {'live' | 'ended'} what @param {number} count @param {any} unlimited */
async function addSessions(what, count, unlimited) {
  if (count === 0) return;
  const owner = sql`(i / ${sql.lit(SESSIONS_PER_USER)}) % ${sql.lit(users)}`;
  const [at, until] = [sql.lit(now), sql.lit(now + 30 * DAY)];
  await sql`
    insert into sessions (id, user_id, generation, rotated_at, idle_expires_at, expires_at, auth_time, created_at,
      last_used_at, access_until, ip, user_agent, revoked_at, revoke_cause)
    ${numbers(count)}
    select ${idOf(what, sql`i`)}, ${idOf('user', owner)}, 0, ${at}, ${until}, ${until}, ${at}, ${at}, ${at},
      ${sql.lit(now + config.get(AuthOptions).tokens.accessTtl)}, '127.0.0.1', 'bench',
      ${what === 'ended' ? at : sql`null`}, ${what === 'ended' ? sql.lit('logout') : sql`null`}
    from numbers`.execute(unlimited);
}

await db.withoutLimits(async (/** @type {any} */ unlimited) => {
  await sql`
    insert into users (id, username, password_hash, credential_version, created_at)
    ${numbers(users)}
    select ${idOf('user', sql`i`)}, ${sql.lit(username(''))} || i, ${sql.lit(passwordHash)}, 1, ${sql.lit(now)}
    from numbers`.execute(unlimited);
  await addSessions('live', stock.live, unlimited);
  await addSessions('ended', stock.ended, unlimited);
  if (db.engine === 'postgres') await sql`vacuum analyze`.execute(unlimited);
});

/** @param {number} i */
const whose = (i) => ({
  subject: id('user', Math.floor(i / SESSIONS_PER_USER) % users),
  sessionId: id('live', i),
});
/** @param {number} n */
const access = (n) =>
  issuer.issueAccess({
    ...whose(n % stock.live),
    fresh: false,
    proof: { acr: 'pwd', amr: ['pwd'], at: now },
    notAfter: now + 30 * DAY,
  }).token;
/** All over the table, as clients come. @param {number} n */
const refresh = (n) =>
  issuer.issueRefresh({
    ...whose(Math.floor((n * stock.live) / stock.refresh)),
    generation: 0,
    issuedAt: now,
    expiresAt: now + 30 * DAY,
  }).token;

/** @param {string} name @param {number} count @param {(n: number) => string} make */
function save(name, count, make) {
  const tokens = Array.from({ length: count }, (_, n) => make(n));
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(tokens));
}
save('access', stock.access, access);
save('unseen', stock.unseen, access);
save('refresh', stock.refresh, refresh);
await app.close();
process.send?.('done');
process.disconnect?.();
