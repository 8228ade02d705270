import { Logger, PinoLogger } from 'nestjs-pino';
import pino, { type Logger as PinoRoot } from 'pino';
import { type ServerOptions } from '../config/server-options.js';
import { readable } from './readable.js';
import { currentRequest } from './request-scope.js';
import { escapeLine, scrub, scrubText } from './scrub.js';

type LogOptions = Pick<ServerOptions, 'logLevel' | 'environment'>;

/** Where lines go; the tests' own in place of the standard output. */
export interface Sink {
  write(line: string): void;
}

/**
 * How everything is logged: JSON in production, else for eyes. Secrets are taken out, and lines made safe, here and not
 * where something is logged: nobody can forget it.
 */
export function createPino(
  { logLevel, environment }: LogOptions,
  sink: Sink = stdout(environment),
): PinoRoot {
  return pino(
    {
      level: logLevel,
      // Process and host are known to whoever collects the lines.
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Errors are plain objects by then.
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

/** Nest's logger, before there is an application and after. */
export function createLogger(logger: PinoRoot): Logger {
  const params = { pinoHttp: { logger } };
  return new Logger(new PinoLogger(params), params);
}

/** An error in whatever place becomes `err`; texts are not format strings. */
function clean(args: unknown[]): [details: object, message: string | undefined] {
  const texts = args.filter((arg) => typeof arg === 'string');
  const objects = args.filter((arg) => typeof arg === 'object' && arg !== null);
  const error = objects.find((arg) => arg instanceof Error);
  const details = Object.assign({}, ...objects.filter((arg) => arg !== error)) as { err?: unknown };
  if (error) details.err ??= error;
  const message = texts[0] ?? (details.err instanceof Error ? details.err.message : undefined);
  return [scrub(details) as object, message === undefined ? undefined : scrubText(message)];
}

/** Written at once: what was logged before a crash is there. */
function stdout(environment: string): Sink {
  const destination = pino.destination({ fd: 1, sync: true });
  if (environment === 'production') return destination;
  return { write: (line) => void destination.write(readable(line)) };
}
