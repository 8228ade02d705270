import { NestFactory } from '@nestjs/core';
import { AppModule, explainFailedStart } from '../app.module.js';
import { AccountAdmin, type AccountSummary, ApiError } from '../auth/index.js';
import { configFromEnvironment } from '../config/environment.js';
import { DatabaseInUseError, DatabaseUnavailableError } from '../database/index.js';
import { type Command, parseCommand, USAGE } from './arguments.js';
import { OperatorError } from './operator.js';
import { randomPassword, readPassword } from './passwords.js';
import { formatAccounts } from './table.js';

/** What an administrator can do through a running server is no more than this; the rest needs the file itself. */
const SERVER_RUNS =
  'The server is running (or another command is), and an embedded database has one owner: stop it for the moment; ' +
  'or end sessions through it, with DELETE /admin/users/ID/sessions; or use PostgreSQL, where this works beside it\n';

/** How to mend it, where the message alone does not say. */
const HINTS: Record<string, string> = {
  not_found: '; `npm run users -- list` shows all',
  username_taken: '; choose another, or reset its password with reset-password',
};

async function main(): Promise<void> {
  const command = parseCommand(process.argv.slice(2));
  if (command.command === 'help') {
    process.stdout.write(USAGE);
    return;
  }
  // Before the database is opened: whoever is asked for a password keeps nobody waiting.
  const password = await passwordFor(command);
  const config = configFromEnvironment();
  if (config.DATABASE_URL === ':memory:')
    throw new OperatorError(
      'DATABASE_URL is :memory:, which is gone when this ends; name the database of the server',
    );
  const app = await NestFactory.createApplicationContext(AppModule.forRoot(config), {
    // What fails is thrown, and told once.
    logger: false,
    abortOnError: false,
  });
  try {
    process.stdout.write(await run(app.get(AccountAdmin, { strict: false }), command, password));
  } finally {
    await app.close();
  }
}

/** Never an argument: those are seen in the list of processes and kept in the shell's history. */
async function passwordFor(command: Command): Promise<string> {
  const given = 'passwordFromStdin' in command && command.passwordFromStdin;
  return given ? readPassword(process.stdin) : randomPassword();
}

/** @returns what the operator is told */
async function run(accounts: AccountAdmin, command: Command, password: string): Promise<string> {
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
      return `${account.username}: ${rolesOf(account)}. Every session has ended.\n`;
    }
    case 'disable': {
      const { username } = await accounts.disable(command.name);
      return `${username} is disabled. Every session has ended.\n`;
    }
    case 'enable': {
      const { username } = await accounts.enable(command.name);
      return `${username} may log in.\n`;
    }
    case 'reset-password': {
      const { username } = await accounts.resetPassword(command.name, password);
      return `${username} has a new password. Every session has ended.\n${shown(command, password)}`;
    }
    case 'list':
      return formatAccounts(await accounts.list());
    case 'help':
      return USAGE;
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
  if (error instanceof DatabaseUnavailableError) return `The database cannot be reached: ${error.message}\n`;
  return explainFailedStart(error);
}

try {
  await main();
} catch (error) {
  process.stderr.write(explain(error));
  // As in main.ts: open handles would keep the process from ending by itself.
  process.exit(1);
}
