import { parseArgs, type ParseArgsConfig } from 'node:util';

/** What the operator typed makes no sense, or asks for what there is not. The message is all that they need. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}

const HELP = { help: { type: 'boolean', short: 'h' } } as const;

/** The words and options of a command line; `--help` is known to every command. @throws OperatorError */
export function parseWords<Options extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: Options,
): ReturnType<typeof parseArgs<{ allowPositionals: true; options: Options & typeof HELP }>> {
  try {
    return parseArgs({ args, allowPositionals: true, options: { ...options, ...HELP } });
  } catch (error) {
    throw new OperatorError((error as Error).message);
  }
}
