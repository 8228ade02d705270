import { constants } from 'node:os';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/**
 * Ends the process on SIGTERM or SIGINT. Before the server listens there is nothing to close, so the process ends at once;
 * SQLite and PostgreSQL roll back what was not committed.
 */
export class StopSignals {
  private stop: () => Promise<void> = () => Promise.resolve();
  private received = false;

  constructor() {
    for (const signal of SIGNALS) process.on(signal, () => void this.handle(signal));
  }

  /** @param stop what a signal does from now on, before the process ends */
  onStop(stop: () => Promise<void>): void {
    this.stop = stop;
  }

  private async handle(signal: (typeof SIGNALS)[number]): Promise<void> {
    if (this.received) return;
    this.received = true;
    try {
      await this.stop();
    } catch (error) {
      process.stderr.write(`freshgate did not shut down cleanly: ${String(error)}\n`);
      process.exit(1);
    }
    // Ends by the signal itself, so that a shell or a service manager sees why. Process 1 ignores that.
    for (const each of SIGNALS) process.removeAllListeners(each);
    process.kill(process.pid, signal);
    process.exit(128 + constants.signals[signal]);
  }
}
