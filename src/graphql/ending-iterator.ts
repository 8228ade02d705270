/** The events of a source until `end` is called: then the pending read fails. One read at a time. */
export class EndingIterator<T> implements AsyncIterableIterator<T, undefined> {
  private error: Error | undefined;
  private isDone = false;
  private failRead: ((error: Error) => void) | undefined;
  private whenDone: () => void = () => {};
  private readonly source: AsyncIterator<T>;

  constructor(source: AsyncIterator<T> | AsyncIterable<T>) {
    this.source = Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source;
  }

  /** Calls back once, when no more events are read. */
  onDone(callback: () => void): void {
    if (this.isDone) callback();
    else this.whenDone = callback;
  }

  /** Fails the pending read, or else the next one, and closes the source. */
  end(reason: Error): void {
    if (this.isDone) return;
    this.close();
    if (this.failRead) this.failRead(reason);
    else this.error = reason;
    // Not awaited: a source may close only after its next event.
    this.closeSource().catch(() => {});
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    const { error } = this;
    this.error = undefined;
    if (error) throw error;
    if (this.isDone) return { done: true, value: undefined };
    const read = await new Promise<IteratorResult<T, unknown>>((resolve, reject) => {
      this.failRead = reject;
      this.source.next().then(resolve, reject);
    })
      .catch((failure: unknown) => {
        this.close();
        throw failure;
      })
      .finally(() => (this.failRead = undefined));
    if (!read.done) return read;
    this.close();
    return { done: true, value: undefined };
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    await this.closeSource();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Async, for sources that throw or answer without a promise. */
  private async closeSource(): Promise<void> {
    await this.source.return?.();
  }

  private close(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.whenDone();
  }
}
