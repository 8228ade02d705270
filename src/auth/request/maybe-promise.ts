/** What is known at once, or will be. */
export type MaybePromise<T> = T | Promise<T>;

/**
 * Goes on at once where there is nothing to wait for. A guarded request asks several hooks, which mostly answer at
 * once; each `await` of such an answer would send it to the end of the queue.
 */
export function after<T, R>(value: MaybePromise<T>, goOn: (value: T) => MaybePromise<R>): MaybePromise<R> {
  return isPromiseLike(value) ? Promise.resolve(value).then(goOn) : goOn(value);
}

/** By its form: taken for an answer, the promise of a database client, which is no `Promise`, would say yes. */
function isPromiseLike<T>(value: MaybePromise<T>): value is Promise<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function';
}
