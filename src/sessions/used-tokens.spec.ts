import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '../database/index.js';
import { MigrationSet } from '../database/migrations.js';
import { sessionsMigrations } from './sessions.table.js';
import { UsedTokens } from './used-tokens.js';

const NOW = 1_800_000_000_000;

describe('SpentTokens', () => {
  let db: Database;
  let spent: UsedTokens;
  beforeEach(async () => {
    db = openDatabase(':memory:');
    const migrations = new MigrationSet(db);
    migrations.add(sessionsMigrations);
    await migrations.run();
    spent = new UsedTokens(db);
  });
  afterEach(() => db.destroy());

  const kept = async () =>
    (await db.selectFrom('spent_tokens').select('jti').execute()).map(({ jti }) => jti);

  it('grants a token once, until it is given back', async () => {
    expect(await spent.claim('a', NOW + 1, NOW)).toBe(true);
    expect(await spent.claim('a', NOW + 1, NOW)).toBe(false);
    await spent.giveBack('a');
    expect(await spent.claim('a', NOW + 1, NOW)).toBe(true);
  });

  it('remembers a claim past the token’s expiry, since another instance’s clock may be behind', async () => {
    await spent.claim('a', NOW, NOW);
    await spent.claim('b', NOW + 9_000, NOW + 60_000);
    expect(await kept()).toEqual(['a', 'b']);
    expect(await spent.claim('a', NOW, NOW)).toBe(false);
  });

  it('#100 forgets claims that no clock takes any more, as new ones come', async () => {
    await spent.claim('a', NOW, NOW);
    await spent.claim('b', NOW + 90_000, NOW + 60_001);
    expect(await kept()).toEqual(['b']);
  });

  it('grants a claim also when the sweep that follows it fails', async () => {
    const claim = spent.claim('a', NOW, Number.NaN);
    expect(await claim).toBe(true);
  });
});
