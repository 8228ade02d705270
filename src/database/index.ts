/** The public API of the database module. */
export { copyDatabase, CopyError } from './copy/copy-database.js';
export { Database, MAX_CLOCK_SKEW_MS, type Engine, type Executor, type Tables, type Tx } from './database.js';
export {
  DatabaseInUseError,
  DatabaseStartError,
  DatabaseUnavailableError,
  DatabaseUrlError,
  isForeignKeyViolation,
  toStartError,
  isUniqueViolation,
  reasonOf,
} from './database-errors.js';
export { DatabaseModule } from './database.module.js';
export { type Listener, NotificationsLostError } from './listener.js';
export { type ReadPages, type ReadPosition } from './page-reader.js';
export { type Migrations, MigrationSet } from './migrations.js';
export { openDatabase } from './open-database.js';
export { sqlitePath } from './sqlite.js';
export { type DeadRows, PURGE_MARGIN_MS, Purger, type PurgeTask } from './purger.js';
export { ReadOnlyDatabaseError } from './writable.js';
