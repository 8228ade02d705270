/**
 * better-auth, asked for the session of each request: on node:http, which costs it least, and on the SQLite driver that
 * we use too. With `COOKIE_CACHE`, the session is in a signed cookie as well, and the row is not read. With `DATABASE_URL`, on
 * PostgreSQL, and each request renews its session: a longer life is written to its row.
 */
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { fromNodeHeaders } from 'better-auth/node';
import { SqliteDialect } from 'kysely';
import Libsql from 'libsql';
import pg from 'pg';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { ANSWER } from './answer.mjs';
import { answerJson, listen } from './listen.mjs';
import { SECRET } from './secret.mjs';

const DAY = 86_400;

const { DATABASE_URL } = process.env;
const options = {
  baseURL: 'http://127.0.0.1',
  secret: SECRET,
  database: DATABASE_URL ? new pg.Pool({ connectionString: DATABASE_URL, max: 10 }) : sqlite(),
  emailAndPassword: { enabled: true },
  session: {
    cookieCache: { enabled: process.env.COOKIE_CACHE !== undefined, maxAge: DAY },
    ...(DATABASE_URL ? { updateAge: 0 } : {}),
  },
  advanced: { useSecureCookies: false },
  telemetry: { enabled: false },
};
await (await getMigrations(options)).runMigrations();
const auth = betterAuth(options);
writeFileSync(process.env.TOKENS ?? '', JSON.stringify(await cookies(Number(process.env.SESSIONS))));

await listen(createServer((request, response) => void answer(request, response)));

function sqlite() {
  const database = new Libsql('better-auth.db');
  database.exec('PRAGMA journal_mode = WAL');
  return { dialect: new SqliteDialect({ database }), type: /** @type {const} */ ('sqlite') };
}

/** @param {import('node:http').IncomingMessage} request @param {import('node:http').ServerResponse} response */
async function answer(request, response) {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  if (session) answerJson(response, 200, ANSWER);
  else answerJson(response, 401, { statusCode: 401 });
}

/** The cookies of so many logins of one user, as browsers send them back. @param {number} count */
async function cookies(count) {
  const { user } = await auth.api.signUpEmail({
    body: { name: 'cosmo', email: 'cosmo@example.com', password: 'space-corgi' },
  });
  const { internalAdapter } = await auth.$context;
  const made = [];
  for (let i = 0; i < count; i++) {
    const { token } = await internalAdapter.createSession(user.id);
    const signature = createHmac('sha256', SECRET).update(token).digest('base64');
    const cookie = `better-auth.session_token=${encodeURIComponent(`${token}.${signature}`)}`;
    const { headers } = await auth.api.getSession({ headers: new Headers({ cookie }), returnHeaders: true });
    const others = headers.getSetCookie().map((line) => line.split(';')[0]);
    made.push(
      [...others.filter((other) => !other?.startsWith('better-auth.session_token')), cookie].join('; '),
    );
  }
  return made;
}
