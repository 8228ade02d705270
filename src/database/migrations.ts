import { Injectable, Logger } from '@nestjs/common';
import { type Migration, Migrator } from 'kysely';
import { Database } from './database.js';

/** Name → migration. Names sort in the order in which they run: a date, a number within it, the table. */
export type Migrations = Record<string, Migration>;

/** Whoever owns a table owns its migrations; here they meet, and run as one set. */
@Injectable()
export class MigrationSet {
  private readonly migrations: Migrations = {};

  constructor(private readonly db: Database) {}

  /** @throws Error when two modules use one name */
  add(migrations: Migrations): void {
    for (const [name, migration] of Object.entries(migrations)) {
      if (name in this.migrations) throw new Error(`two migrations are named "${name}"`);
      this.migrations[name] = migration;
    }
  }

  /** Runs what has not run yet. Of several instances that start at once, one runs them and the others wait. */
  async run(): Promise<void> {
    const provider = { getMigrations: () => Promise.resolve(this.migrations) };
    // Unordered: a module that is added later may bring a migration older than the newest that ran.
    const migrator = new Migrator({ db: this.db, provider, allowUnorderedMigrations: true });
    const { error, results = [] } = await migrator.migrateToLatest();
    if (error) throw error instanceof Error ? error : new Error(JSON.stringify(error));
    if (results.length > 0) {
      new Logger('Database').log(`migrated: ${results.map((result) => result.migrationName).join(', ')}`);
    }
  }
}
