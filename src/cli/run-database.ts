import { NestFactory } from '@nestjs/core';
import { existsSync } from 'node:fs';
import { loadConfig } from '../app.config.js';
import { AppModule, explainFailedStart } from '../app.module.js';
import { type Environment } from '../config/config.js';
import { readEnvironment } from '../config/environment.js';
import {
  copyDatabase,
  CopyError,
  type Database,
  DatabaseInUseError,
  DatabaseUnavailableError,
  DatabaseUrlError,
  MigrationSet,
  openDatabase,
  reasonOf,
  sqlitePath,
} from '../database/index.js';
import { createAdapter } from '../http/adapter.js';
import { OperatorError, type Outcome, parseWords } from './operator.js';
import { formatTable } from './table.js';

const USAGE = `Usage:
  npm run database -- copy FROM TO

Copies all tables between SQLite and PostgreSQL, while the server is stopped. FROM and TO are URLs as in DATABASE_URL:
file:./data/freshgate.db, or postgres://USER@HOST:PORT/DATABASE with the password in PGPASSWORD. TO must be empty.
`;

/** Runs `npm run database -- ARGS` inside this process. Never rejects. */
export async function runDatabase(args: string[], environment = readEnvironment()): Promise<Outcome> {
  try {
    return { code: 0, stdout: await execute(args, environment), stderr: '' };
  } catch (error) {
    return { code: 1, stdout: '', stderr: explain(error) };
  }
}

async function execute(args: string[], environment: Environment): Promise<string> {
  const { values, positionals } = parseWords(args, {});
  if (values.help) return USAGE;
  const [command = '', from = '', to = '', ...more] = positionals;
  if (command === '') throw new OperatorError('No command was given; the only one is copy');
  if (command !== 'copy') throw new OperatorError(`There is no command ${command}; the only one is copy`);
  if (from === '' || to === '' || more.length > 0) throw new OperatorError('Expected: copy FROM TO');
  if (from === to) throw new OperatorError('FROM and TO are the same database');
  if ([from, to].includes(':memory:'))
    throw new OperatorError(':memory: is empty, and is lost when this command ends');
  if (from.startsWith('file:') && !existsSync(sqlitePath(from)))
    throw new OperatorError(`there is no file ${sqlitePath(from)}`);
  const migrations = await readMigrations(environment);
  return withDatabase('FROM', from, (source) =>
    withDatabase('TO', to, async (target) => {
      const counts = [...(await copyDatabase(source, target, migrations))];
      const lines = formatTable([['TABLE', 'ROWS'], ...counts.map(([name, rows]) => [name, String(rows)])]);
      return `${lines.join('\n')}\nCopied and compared. Set DATABASE_URL to TO, keep AUTH_KEYS_FILE, and start the server.\n`;
    }),
  );
}

/** The application is created but not initialised: it opens no database, sends no mail and makes no keys. */
async function readMigrations(environment: Environment): Promise<MigrationSet> {
  const config = loadConfig({ ...environment, DATABASE_URL: ':memory:' });
  const options = { logger: false, abortOnError: false } as const;
  const app = await NestFactory.create(AppModule.forRoot(config), createAdapter(), options);
  return app.get(MigrationSet, { strict: false });
}

async function withDatabase<T>(which: string, url: string, work: (db: Database) => Promise<T>): Promise<T> {
  let db: Database | undefined;
  try {
    db = openDatabase(url);
    await db.ping();
  } catch (error) {
    await db?.destroy().catch(() => {});
    if (error instanceof DatabaseInUseError)
      throw new CopyError(`${which} is in use: SQLite allows one process, so stop the server first`);
    if (error instanceof DatabaseUrlError || error instanceof DatabaseUnavailableError)
      throw new CopyError(`${which} cannot be opened: ${reasonOf(error)}`);
    throw error;
  }
  try {
    return await work(db);
  } finally {
    await db.destroy();
  }
}

function explain(error: unknown): string {
  if (error instanceof OperatorError) return `${error.message} (--help shows how this is used)\n`;
  if (error instanceof CopyError) return `${error.message}\n`;
  return explainFailedStart(error);
}
