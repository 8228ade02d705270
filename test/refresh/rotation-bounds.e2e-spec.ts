import { expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Database } from '../../src/database/index.js';
import { createTestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

/*
 * A rotation that finds its row changed looks again. A row that is never as it was read would keep it looking for ever,
 * in one turn of the event loop: no other request would be answered.
 */
it('a rotation looks a second time at most, whatever the database does', async () => {
  const api = await createTestApp();
  try {
    const login = await api.login();
    const first = login.refresh;
    await login.rotate();
    const db = api.get(Database);
    // Updates of sessions do nothing, the first 1,000 times: a test that fails must not hang.
    await sql`create table looks (n integer not null)`.execute(db);
    await sql`insert into looks values (0)`.execute(db);
    await sql`create trigger ignored before update on sessions when (select n from looks) < 1000
      begin update looks set n = n + 1; select raise(ignore); end`.execute(db);
    expectError(await login.tryRefresh(first), 500, 'internal_error');
    const { rows } = await sql<{ n: number }>`select n from looks`.execute(db);
    expect(rows[0]?.n).toBeLessThanOrEqual(2);
  } finally {
    await api.close();
  }
});
