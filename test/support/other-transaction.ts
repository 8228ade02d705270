import { sql } from 'kysely';
import pg from 'pg';
import { type Response } from 'supertest';
import { Database } from '../../src/database/index.js';
import { type TestApp } from './create-test-app.js';

/** A connection that is in a transaction, to hold what an application asks for. */
export async function beginElsewhere(url: string): Promise<pg.Client> {
  const other = new pg.Client({ connectionString: url });
  await other.connect();
  await other.query('begin');
  return other;
}

/**
 * Returns once the request waits for the lock of the other transaction: its statement has begun and read its snapshot.
 * @throws Error if it is answered without waiting
 */
export async function onceItWaits(
  api: TestApp,
  sent: PromiseLike<Response>,
): Promise<{ answer: Promise<Response> }> {
  const answer = Promise.resolve(sent);
  const sending = { isAnswered: false };
  answer
    .finally(() => {
      sending.isAnswered = true;
    })
    // For the caller, who awaits the answer itself.
    .catch(() => {});
  while (!sending.isAnswered) {
    const { rows } = await sql<{ waiting: string }>`
      select count(*)::text as waiting from pg_locks where not granted`.execute(api.get(Database));
    if (rows[0]?.waiting === '1') return { answer };
  }
  throw new Error('it was answered, and did not wait for the other transaction');
}
