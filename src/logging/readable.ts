/** What every line has; the rest is shown behind the message. */
interface Line {
  level: string;
  time: string;
  context?: string;
  msg?: string;
  err?: { stack?: string };
}

/** What the message of a request says already. */
const IN_MESSAGE: ReadonlySet<string> = new Set(['method', 'route', 'path', 'status']);

/** For eyes at a terminal: one line for an event, and below it the frames of a stack trace. */
export function readable(json: string): string {
  const { level, time, context = '-', msg = '', err, ...rest } = JSON.parse(json) as Line;
  const details = Object.entries(rest)
    .filter(([name]) => !IN_MESSAGE.has(name))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const head = `${time.slice(11, 23)} ${level.toUpperCase().padEnd(5)} [${context}] ${printable(msg)}`;
  // Only lines that are frames: a message may have several lines, and look like an event of its own.
  const frames = (err?.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return `${[[head, ...details].join(' '), ...frames.map(printable)].join('\n')}\n`;
}

/** What JSON escapes stays escaped, but for the quotes. */
function printable(text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\');
}
