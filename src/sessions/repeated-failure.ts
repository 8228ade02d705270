const LOGGED_EACH = 60;

/** Reports a failure that repeats each second: the first, each with another message, and every 60th, with the count. */
export class RepeatedFailure {
  private message = '';
  private repeated = 0;

  constructor(private readonly report: (message: string) => void) {}

  add(message: string): void {
    this.repeated++;
    if (message !== this.message || this.repeated % LOGGED_EACH === 0)
      this.report(this.repeated === 1 ? message : `${message} (failed ${this.repeated} times)`);
    this.message = message;
  }

  /** @returns the number of failures */
  end(): number {
    const { repeated } = this;
    this.repeated = 0;
    this.message = '';
    return repeated;
  }
}
