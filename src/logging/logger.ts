import { type LoggerService } from '@nestjs/common';
import pino, { type Logger as PinoRoot } from 'pino';
import { type ServerOptions } from '../config/server-options.js';
import { readable } from './readable.js';
import { currentRequest } from './request-scope.js';
import { escapeLine, scrub, scrubText } from './scrub.js';
import { StandardOutput } from './standard-output.js';

type LogOptions = Pick<ServerOptions, 'logLevel' | 'environment'>;
type Level = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';

/** The destination of log lines; tests use their own. */
export interface Sink {
  write(line: string): void;
  /** May wait up to a second for more lines, to save system calls. Keeps the order with `write`. */
  writeSoon(line: string): void;
}

/** The destination of lines, and the pino logger for all lines except those of requests. */
export interface Log {
  root: PinoRoot;
  sink: Sink;
}

/** JSON in production, human-readable otherwise. */
export function createLog(options: LogOptions, sink: Sink = standardOutput(options)): Log {
  return { root: createPino(options, sink), sink };
}

function standardOutput({ environment }: LogOptions): Sink {
  const output =
    environment === 'production'
      ? new StandardOutput(process.stdout)
      : new StandardOutput(process.stdout, readable, 0);
  // Also after an uncaught error.
  process.once('exit', () => output.flush());
  return output;
}

/** Removes secrets and escapes control characters in one place, so that no caller can forget it. */
function createPino({ logLevel }: LogOptions, sink: Sink): PinoRoot {
  return pino(
    {
      level: logLevel,
      // The log collector knows process and host.
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // By now errors are plain objects.
      serializers: { err: (error: unknown) => error },
      mixin: currentRequest,
      formatters: { level: (label) => ({ level: label }) },
      hooks: {
        logMethod(args, method) {
          const [details, message] = clean(args);
          method.call(this, details, message);
        },
        streamWrite: escapeLine,
      },
    },
    sink,
  );
}

/** Nest's logger over pino. Nest appends the context, and puts the stack of an error before it. */
export function createLogger(root: PinoRoot): LoggerService {
  const write =
    (level: Level) =>
    (message: unknown, ...rest: unknown[]): void => {
      if (!root.isLevelEnabled(level)) return;
      const context = typeof rest.at(-1) === 'string' && !isStack(rest.at(-1)) ? rest.pop() : undefined;
      const stack = rest.find(isStack);
      const details = { ...(context ? { context } : {}), ...(stack ? { err: { stack } } : {}) };
      Reflect.apply(root[level], root, [details, message, ...rest.filter((value) => value !== stack)]);
    };
  return {
    fatal: write('fatal'),
    error: write('error'),
    warn: write('warn'),
    log: write('info'),
    debug: write('debug'),
    verbose: write('trace'),
  };
}

function isStack(value: unknown): boolean {
  return typeof value === 'string' && /\n\s+at /.test(value);
}

/** An error in any position becomes `err`; text is not a format string. */
function clean(args: unknown[]): [details: object, message: string | undefined] {
  const texts = args.filter((arg) => typeof arg === 'string');
  const objects = args.filter((arg) => typeof arg === 'object' && arg !== null);
  const error = objects.find((arg) => arg instanceof Error);
  const details = Object.assign({}, ...objects.filter((arg) => arg !== error)) as { err?: unknown };
  if (error) details.err ??= error;
  const message = texts[0] ?? (details.err instanceof Error ? details.err.message : undefined);
  return [scrub(details) as object, message === undefined ? undefined : scrubText(message)];
}
