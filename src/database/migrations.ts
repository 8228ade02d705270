import { Injectable, Logger } from '@nestjs/common';
import { DEFAULT_MIGRATION_TABLE, type Migration, Migrator, sql } from 'kysely';
import { Database, type Executor } from './database.js';

/** Name → migration. Migrations run in the order of their names: a date, a number within it, the table. */
export type Migrations = Record<string, Migration>;

/** Collects the migrations of all modules and runs them as one set. Each module owns those of its tables. */
@Injectable()
export class MigrationSet {
  private readonly migrations: Migrations = {};

  constructor(private readonly db: Database) {}

  /** @throws Error if two modules use the same name */
  add(migrations: Migrations): void {
    for (const [name, migration] of Object.entries(migrations)) {
      if (name in this.migrations) throw new Error(`two migrations are named "${name}"`);
      this.migrations[name] = migration;
    }
  }

  /** Runs the missing migrations. If several instances start at once, one runs them and the others wait. */
  async run(database = this.db): Promise<void> {
    const { error, results = [] } = await database.withoutLimits(async (db) => {
      const schema = await schemaOf(db);
      const others = await this.namesOfOthers(db, schema);
      return this.migrator(db, others, schema).migrateToLatest();
    });
    if (error) throw error instanceof Error ? error : new Error(JSON.stringify(error));
    if (results.length > 0) {
      new Logger('Database').log(`migrated: ${results.map((result) => result.migrationName).join(', ')}`);
    }
  }

  /** Our migrations that are missing in the database. It may have additional ones of a newer version. */
  async missing(database = this.db): Promise<string[]> {
    const { rows } = await sql<{ name: string }>`
      select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(database);
    const ran = new Set(rows.map(({ name }) => name));
    return Object.keys(this.migrations).filter((name) => !ran.has(name));
  }

  private migrator(db: Executor, namesOfOthers: string[], schema: string | undefined): Migrator {
    const others = Object.fromEntries(namesOfOthers.map((name) => [name, { up: () => Promise.resolve() }]));
    const provider = { getMigrations: () => Promise.resolve({ ...others, ...this.migrations }) };
    // Unordered: a module that is added later may bring a migration older than the newest that ran.
    return new Migrator({
      db,
      provider,
      allowUnorderedMigrations: true,
      ...(schema !== undefined && { migrationTableSchema: schema }),
    });
  }

  /**
   * Migrations that ran but are not ours: of a removed feature, or of a newer version that was rolled back. Their
   * tables are left alone.
   */
  private async namesOfOthers(db: Executor, schema: string | undefined): Promise<string[]> {
    const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
    if (!tables.some((table) => table.name === DEFAULT_MIGRATION_TABLE && table.schema === schema)) return [];
    const { rows } = await sql<{
      name: string;
    }>`select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(db);
    return rows.map(({ name }) => name).filter((name) => !(name in this.migrations));
  }
}

/** The schema in which tables are created. Another schema of the same database may have migrations too. */
async function schemaOf(db: Database): Promise<string | undefined> {
  if (db.engine === 'sqlite') return undefined;
  const { rows } = await sql<{ schema: string }>`select current_schema() as schema`.execute(db);
  return rows[0]?.schema;
}
