import { type Writable } from 'node:stream';
import { type Sink } from './logger.js';

/** Characters of lines that wait to be written together, and for how long (milliseconds). */
const MAX_SOON = 16 * 1024;
const MAX_DELAY_MS = 1_000;
/** Bytes that may wait for the reader of the log. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * Writes lines to a stream without waiting for its reader. When the reader stops reading, lines are dropped and counted: a
 * log must not stop the server.
 */
export class StandardOutput implements Sink {
  private dropped = 0;
  /** Lines that wait, and how many they are. */
  private soon = '';
  private waiting = 0;
  private timer: NodeJS.Timeout | undefined;

  /**
   * @param format applied to each line, which is JSON
   * @param maxDelay milliseconds that a line of `writeSoon` may wait
   */
  constructor(
    private readonly stream: Writable = process.stdout,
    private readonly format = (line: string) => line,
    private readonly maxDelay = MAX_DELAY_MS,
  ) {
    // The reader has ended (EPIPE). Without a listener that would end the process.
    stream.on('error', () => {});
  }

  /** Hands the line to the system at once, so that no line before a crash is lost. */
  write(line: string): void {
    this.writeSoon(line);
    this.flush();
  }

  /** Hands the line to the system a little later, together with others: a system call costs as much as half a request. */
  writeSoon(line: string): void {
    this.soon += this.format(line);
    this.waiting++;
    if (this.soon.length >= MAX_SOON) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), this.maxDelay).unref();
  }

  /** Hands over the lines that wait. Call it before the process ends. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { soon, waiting } = this;
    this.soon = '';
    this.waiting = 0;
    if (waiting === 0) return;
    if (this.stream.writableLength > MAX_WAITING_BYTES) {
      this.dropped += waiting;
      return;
    }
    if (this.dropped > 0) {
      const notice = {
        level: 'warn',
        time: new Date().toISOString(),
        context: 'Log',
        msg: `${this.dropped} lines were dropped because the log was not read`,
      };
      this.stream.write(this.format(`${JSON.stringify(notice)}\n`));
      this.dropped = 0;
    }
    this.stream.write(soon);
  }
}
