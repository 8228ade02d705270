import { type Writable } from 'node:stream';
import { type Sink } from './logger.js';

/** Bytes that may wait for the reader of the log. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * Writes lines to a stream without waiting for its reader. Each line is handed to the system at once, so lines before a crash are
 * not lost. When the reader stops reading, lines are dropped and counted: a log must not stop the server.
 */
export class StandardOutput implements Sink {
  private dropped = 0;

  /** @param format applied to each line, which is JSON */
  constructor(
    private readonly stream: Writable = process.stdout,
    private readonly format = (line: string) => line,
  ) {
    // The reader has ended (EPIPE). Without a listener that would end the process.
    stream.on('error', () => {});
  }

  write(line: string): void {
    if (this.stream.writableLength > MAX_WAITING_BYTES) {
      this.dropped++;
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
    this.stream.write(this.format(line));
  }
}
