import { describe, expect, it } from '@jest/globals';
import { hashesAtOnce, HashingOverloadedError, HashingQueue } from './hashing-queue.js';

/** Jobs that end when they are told to, in the order in which they began. */
class Jobs {
  readonly begun: number[] = [];
  private readonly ends: (() => void)[] = [];

  job(number: number): () => Promise<number> {
    return () => {
      this.begun.push(number);
      return new Promise((resolve) => this.ends.push(() => resolve(number)));
    };
  }

  async endNext(): Promise<void> {
    this.ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the hashing queue', () => {
  it('runs so many at once, and the others in the order in which they came', async () => {
    const [queue, jobs] = [new HashingQueue(2, 10), new Jobs()];
    const all = [1, 2, 3, 4].map((number) => queue.run(jobs.job(number)));
    expect([jobs.begun, queue.running, queue.length]).toEqual([[1, 2], 2, 2]);
    for (let i = 0; i < 4; i++) await jobs.endNext();
    expect([await Promise.all(all), jobs.begun]).toEqual([
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ]);
    expect([queue.running, queue.length, queue.refused]).toEqual([0, 0, 0]);
  });

  it('refuses at once what it has no room for, and takes more when there is room again', async () => {
    const [queue, jobs] = [new HashingQueue(1, 1), new Jobs()];
    const [running, waiting] = [queue.run(jobs.job(1)), queue.run(jobs.job(2))];
    await expect(queue.run(jobs.job(3))).rejects.toBeInstanceOf(HashingOverloadedError);
    await jobs.endNext();
    const next = queue.run(jobs.job(4));
    await jobs.endNext();
    await jobs.endNext();
    expect(await Promise.all([running, waiting, next])).toEqual([1, 2, 4]);
    expect(jobs.begun).toEqual([1, 2, 4]);
  });

  it('goes on after a job that failed', async () => {
    const queue = new HashingQueue(1, 1);
    await expect(queue.run(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await queue.run(() => Promise.resolve(1))).toBe(1);
  });

  it('says before whether there is room', async () => {
    const [queue, jobs] = [new HashingQueue(1, 1), new Jobs()];
    queue.requireRoom();
    const all = [queue.run(jobs.job(1))];
    queue.requireRoom();
    all.push(queue.run(jobs.job(2)));
    expect(() => queue.requireRoom()).toThrow(HashingOverloadedError);
    await expect(queue.run(jobs.job(3))).rejects.toBeInstanceOf(HashingOverloadedError);
    expect(queue.refused).toBe(2);
    await jobs.endNext();
    queue.requireRoom();
    await jobs.endNext();
    await Promise.all(all);
  });

  it.each([
    [1, 1],
    [2, 1],
    [4, 3],
    [64, 63],
  ])('leaves a core to others: of %d, %d hash', (cores, expected) => {
    expect(hashesAtOnce(cores)).toBe(expected);
  });
});
