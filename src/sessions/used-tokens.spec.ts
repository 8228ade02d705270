import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Database, openDatabase } from '../database/index.js';
import { MigrationSet } from '../database/migrations.js';
import { sessionsMigrations } from './sessions.table.js';
import { UsedTokens } from './used-tokens.js';

const NOW = 1_800_000_000_000;

describe('UsedTokens', () => {
  let db: Database;
  let used: UsedTokens;
  beforeEach(async () => {
    db = openDatabase(':memory:');
    const migrations = new MigrationSet(db);
    migrations.add(sessionsMigrations);
    await migrations.run();
    used = new UsedTokens(db);
  });
  afterEach(() => db.destroy());

  it('grants a token once, until it is given back', async () => {
    expect(await used.claim('a', NOW + 1)).toBe(true);
    expect(await used.claim('a', NOW + 1)).toBe(false);
    await used.giveBack('a');
    expect(await used.claim('a', NOW + 1)).toBe(true);
  });
});
