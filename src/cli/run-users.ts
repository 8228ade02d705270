import { NestFactory } from '@nestjs/core';
import { type Readable } from 'node:stream';
import { AccountImport } from '../administration/index.js';
import { AppModule, explainFailedStart } from '../app.module.js';
import { AccountAdmin, type AccountSummary, ApiError } from '../auth/index.js';
import { configFromEnvironment } from '../app.config.js';
import { type AppConfig } from '../config/config.js';
import { DatabaseInUseError, DatabaseUnavailableError } from '../database/index.js';
import { type Command, parseCommand, USAGE } from './arguments.js';
import { OperatorError, type Outcome } from './operator.js';
import { randomPassword, readPassword } from './passwords.js';
import { openInput, readLines } from './read-lines.js';
import { formatAccounts } from './table.js';

const SERVER_RUNS =
  'The database is in use: SQLite allows one process, so stop the server (or the other command) first; ' +
  'or change users through the running server, with the routes under /admin/users/ (docs/administration.md); ' +
  'or use PostgreSQL, where commands work beside the server\n';

/** How to fix an error, if its message does not say it. */
const HINTS: Record<string, string> = {
  not_found: '; `npm run users -- list` shows all',
  username_taken: '; choose another, or reset its password with reset-password',
};

/** Runs `npm run users -- ARGS` inside this process. Never rejects. */
export async function runUsers(
  args: string[],
  stdin: Readable,
  readConfig = configFromEnvironment,
): Promise<Outcome> {
  try {
    return await execute(parseCommand(args), stdin, readConfig);
  } catch (error) {
    return { code: 1, stdout: '', stderr: explain(error) };
  }
}

async function execute(command: Command, stdin: Readable, readConfig: () => AppConfig): Promise<Outcome> {
  if (command.command === 'help') return success(USAGE);
  // Before the database is opened: a prompt must not hold its lock, and a file that is not there changes nothing.
  const password = await passwordFor(command, stdin);
  const input = command.command === 'import' ? await openInput(command.file, stdin) : undefined;
  const config = readConfig();
  if (config.server.databaseUrl === ':memory:')
    throw new OperatorError(
      'DATABASE_URL is :memory:, which is lost when this command ends; set it to the database of the server',
    );
  const app = await NestFactory.createApplicationContext(AppModule.forRoot(config), {
    // Errors are thrown and reported once.
    logger: false,
    abortOnError: false,
  });
  try {
    if (command.command === 'import')
      return await importAccounts(app.get(AccountImport, { strict: false }), input ?? stdin);
    return success(await run(app.get(AccountAdmin, { strict: false }), command, password));
  } finally {
    await app.close();
  }
}

async function importAccounts(accounts: AccountImport, input: Readable): Promise<Outcome> {
  const { imported, refused } = await accounts.run(readLines(input));
  const told = `Imported ${imported} account${imported === 1 ? '' : 's'}`;
  if (refused.length === 0) return success(`${told}.\n`);
  return {
    code: 1,
    stdout: `${told}; refused ${refused.length} line${refused.length === 1 ? '' : 's'}.\n`,
    stderr: refused.map(({ line, problem }) => `line ${line}: ${problem}\n`).join(''),
  };
}

function success(stdout: string): Outcome {
  return { code: 0, stdout, stderr: '' };
}

/** Reads the password. It is never an argument: those show in the process list and the shell's history. */
async function passwordFor(command: Command, stdin: Readable): Promise<string> {
  const given = 'passwordFromStdin' in command && command.passwordFromStdin;
  return given ? readPassword(stdin) : randomPassword();
}

async function run(
  accounts: AccountAdmin,
  command: Exclude<Command, { command: 'help' | 'import' }>,
  password: string,
): Promise<string> {
  switch (command.command) {
    case 'create': {
      const account = await accounts.create(command.name, password, command.roles);
      return `Created ${account.username} (${account.id}), ${rolesOf(account)}.\n${shown(command, password)}`;
    }
    case 'grant': {
      const account = await accounts.grant(command.name, command.role);
      return `${account.username}: ${rolesOf(account)}, in tokens from the next refresh or login on.\n`;
    }
    case 'revoke': {
      const account = await accounts.revoke(command.name, command.role);
      return `${account.username}: ${rolesOf(account)}. All sessions are revoked.\n`;
    }
    case 'disable': {
      const { username } = await accounts.disable(command.name);
      return `${username} is disabled. All sessions are revoked.\n`;
    }
    case 'enable': {
      const { username } = await accounts.enable(command.name);
      return `${username} may log in.\n`;
    }
    case 'reset-password': {
      const { username } = await accounts.resetPassword(command.name, password);
      return `${username} has a new password. All sessions are revoked.\n${shown(command, password)}`;
    }
    case 'reset-factors': {
      const { username } = await accounts.resetFactors(command.name);
      return `${username} has no second factor any more, and logs in with the password alone.\n`;
    }
    case 'list':
      return formatAccounts(await accounts.list());
  }
}

function rolesOf({ roles }: AccountSummary): string {
  return `roles: ${roles.join(', ') || 'none'}`;
}

function shown(command: { passwordFromStdin: boolean }, password: string): string {
  return command.passwordFromStdin ? '' : `Password, shown this once: ${password}\n`;
}

function explain(error: unknown): string {
  if (error instanceof OperatorError) return `${error.message} (--help shows how this is used)\n`;
  if (error instanceof ApiError) return `${error.message}${HINTS[error.errorCode ?? ''] ?? ''}\n`;
  if (error instanceof DatabaseInUseError) return SERVER_RUNS;
  if (error instanceof DatabaseUnavailableError) return `The database cannot be reached: ${error.reason}\n`;
  return explainFailedStart(error);
}
