import { type HashingQueue } from '../../src/auth/internals.js';

/** Occupies every place of the queue, with jobs of as many clients. @returns what gives them back */
export function fill(queue: HashingQueue): () => Promise<void> {
  const ends: (() => void)[] = [];
  const jobs = Array.from({ length: queue.atOnce + 2 * queue.maxWaiting }, (_, i) =>
    queue.run({ known: i % 2 === 0 }, () => new Promise<void>((resolve) => ends.push(resolve))),
  );
  return async () => {
    while (ends.length > 0) {
      ends.shift()?.();
      // The waiting jobs begin now, and can be ended too.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(jobs);
  };
}
