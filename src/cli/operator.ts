import { parseArgs, type ParseArgsConfig } from 'node:util';

/** The command line is invalid, or names something that does not exist. Shown without a stack trace. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError';
}

/** The output and the exit code of a command. */
export interface Outcome {
  code: 0 | 1;
  stdout: string;
  stderr: string;
}

const HELP = { help: { type: 'boolean', short: 'h' } } as const;

/** Parses the words and options of a command line. Every command has `--help`. @throws OperatorError */
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
