import { OperatorError, parseWords } from './operator.js';

export const USAGE = `Usage:
  npm run users -- create NAME [--role ROLE]… [--password-stdin]
  npm run users -- grant NAME ROLE
  npm run users -- revoke NAME ROLE
  npm run users -- disable NAME
  npm run users -- enable NAME
  npm run users -- reset-password NAME [--password-stdin]
  npm run users -- reset-factors NAME
  npm run users -- list
  npm run users -- import FILE

disable, revoke and reset-password revoke every session of the user. reset-factors removes the second factors and
recovery codes of a user who has lost them. import takes JSON lines, from the standard input if
FILE is -; see docs/move-in.md. Without --password-stdin, which reads one line,
a random password is made and shown once. Settings come from the environment and .env, as for the server.
`;

type Named<C extends string> = { command: C; name: string };

export type Command =
  | { command: 'help' }
  | { command: 'list' }
  | { command: 'import'; file: string }
  | Named<'disable' | 'enable' | 'reset-factors'>
  | (Named<'grant' | 'revoke'> & { role: string })
  | (Named<'reset-password'> & { passwordFromStdin: boolean })
  | (Named<'create'> & { passwordFromStdin: boolean; roles: string[] });

/** The operands and options of each command. */
const COMMANDS: Record<string, { operands: string[]; options: string[] }> = {
  create: { operands: ['NAME'], options: ['role', 'password-stdin'] },
  grant: { operands: ['NAME', 'ROLE'], options: [] },
  revoke: { operands: ['NAME', 'ROLE'], options: [] },
  disable: { operands: ['NAME'], options: [] },
  enable: { operands: ['NAME'], options: [] },
  'reset-password': { operands: ['NAME'], options: ['password-stdin'] },
  'reset-factors': { operands: ['NAME'], options: [] },
  list: { operands: [], options: [] },
  import: { operands: ['FILE'], options: [] },
};

const OPTIONS = { role: { type: 'string', multiple: true }, 'password-stdin': { type: 'boolean' } } as const;

/** @throws OperatorError */
export function parseCommand(args: string[]): Command {
  const { values, positionals } = parseWords(args, OPTIONS);
  if (values.help) return { command: 'help' };
  const [command = '', ...operands] = positionals;
  const form = Object.hasOwn(COMMANDS, command) ? COMMANDS[command] : undefined;
  if (!form) {
    throw new OperatorError(
      `${command === '' ? 'No command was given' : `There is no command ${command}`}; it is one of ${Object.keys(COMMANDS).join(', ')}`,
    );
  }
  const foreign = Object.keys(values).find((option) => !form.options.includes(option));
  if (foreign !== undefined) throw new OperatorError(`${command} takes no --${foreign}`);
  if (operands.length !== form.operands.length) {
    throw new OperatorError(`Expected: ${[command, ...form.operands].join(' ')}`);
  }
  const [name = '', role = ''] = operands;
  const { role: roles = [], 'password-stdin': passwordFromStdin = false } = values;
  return { command, name, file: name, role, roles, passwordFromStdin } as Command;
}
