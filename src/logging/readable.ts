/** Members that every line has; the others are shown after the message. */
interface Line {
  level: string;
  time: string;
  context?: string;
  msg?: string;
  err?: { stack?: string };
}

/** Members that the message of a request already contains. */
const IN_MESSAGE: ReadonlySet<string> = new Set(['method', 'route', 'path', 'status']);

/** Formats a line for a terminal: one line per event, followed by the frames of a stack trace. */
export function readable(json: string): string {
  const { level, time, context = '-', msg = '', err, ...rest } = JSON.parse(json) as Line;
  const details = Object.entries(rest)
    .filter(([name]) => !IN_MESSAGE.has(name))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`);
  const head = `${time.slice(11, 23)} ${level.toUpperCase().padEnd(5)} [${context}] ${printable(msg)}`;
  // Only lines that are frames: a message with several lines could look like another event.
  const frames = (err?.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  return `${[[head, ...details].join(' '), ...frames.map(printable)].join('\n')}\n`;
}

/** Keeps what JSON escapes, except quotes. */
function printable(text: string): string {
  return JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll('\\\\', '\\');
}
