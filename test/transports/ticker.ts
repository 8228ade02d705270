import { EventEmitter, on } from 'node:events';

/** Events by name, as a broker would bring them. */
export class Ticker {
  private readonly emitter = new EventEmitter();

  tick(name: string, value: unknown): void {
    this.emitter.emit(name, { [name]: value });
  }

  listeners(name: string): number {
    return this.emitter.listenerCount(name);
  }

  listen(name: string): AsyncIterableIterator<unknown> {
    const source = on(this.emitter, name) as AsyncIterator<unknown[]>;
    return {
      next: async () => {
        const { value, done } = await source.next();
        return done ? { done, value: undefined } : { done: false, value: value[0] };
      },
      return: async () => {
        await source.return?.();
        return { done: true, value: undefined };
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }
}
