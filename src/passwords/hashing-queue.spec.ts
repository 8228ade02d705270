import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { type HashingClient, HashingOverloadedError } from './hashing-line.js';
import { hashesAtOnce, HashingQueue } from './hashing-queue.js';

/** Jobs that end when the test ends them, in the order in which they began. */
class Jobs {
  readonly begun: string[] = [];
  private readonly ends: (() => void)[] = [];

  constructor(private readonly queue: HashingQueue) {}

  /** @returns the name, or `refused` */
  run(name: string, client: HashingClient = {}): Promise<string> {
    const job = () => {
      this.begun.push(name);
      return new Promise<string>((resolve) => this.ends.push(() => resolve(name)));
    };
    return this.queue.run(client, job).catch((error: unknown) => {
      if (error instanceof HashingOverloadedError) return 'refused';
      throw error;
    });
  }

  async endNext(): Promise<void> {
    this.ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  async endAll(): Promise<void> {
    while (this.ends.length > 0) await this.endNext();
  }
}

function make(atOnce: number, longest: number, maxWaitMs?: number): [HashingQueue, Jobs] {
  const queue = new HashingQueue(atOnce, longest, maxWaitMs);
  return [queue, new Jobs(queue)];
}

describe('the hashing queue', () => {
  it('runs so many at once, and the others in the order in which they came', async () => {
    const [queue, jobs] = make(2, 10);
    const all = ['1', '2', '3', '4'].map((name) => jobs.run(name));
    expect([jobs.begun, queue.running, queue.length]).toEqual([['1', '2'], 2, 2]);
    await jobs.endAll();
    expect([await Promise.all(all), jobs.begun]).toEqual([
      ['1', '2', '3', '4'],
      ['1', '2', '3', '4'],
    ]);
    expect([queue.running, queue.length, queue.refused]).toEqual([0, 0, 0]);
  });

  it('refuses at once what it has no room for, and takes more when there is room again', async () => {
    const [queue, jobs] = make(1, 1);
    const [running, waiting] = [jobs.run('1'), jobs.run('2')];
    expect(() => queue.requireRoom({})).toThrow(HashingOverloadedError);
    expect(await jobs.run('3')).toBe('refused');
    expect(queue.refused).toBe(2);
    await jobs.endNext();
    queue.requireRoom({});
    const next = jobs.run('4');
    await jobs.endAll();
    expect(await Promise.all([running, waiting, next])).toEqual(['1', '2', '4']);
  });

  it('goes on after a job that failed', async () => {
    const [queue] = make(1, 1);
    await expect(queue.run({}, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await queue.run({}, () => Promise.resolve(1))).toBe(1);
  });

  it('begins the first job of each account before the second of any', async () => {
    const [, jobs] = make(1, 10);
    const greedy = { account: 'greedy', network: 'a' };
    const all = [jobs.run('running')];
    for (const name of ['g1', 'g2', 'g3']) all.push(jobs.run(name, greedy));
    // From the same network: a flood behind a shared address does not hold up its neighbours.
    all.push(jobs.run('neighbour', { account: 'neighbour', network: 'a' }));
    all.push(jobs.run('far', { account: 'far', network: 'b' }));
    await jobs.endAll();
    await Promise.all(all);
    expect(jobs.begun).toEqual(['running', 'g1', 'far', 'neighbour', 'g2', 'g3']);
  });

  it('begins the first job of each network before the second of any, whatever names they invent', async () => {
    const [, jobs] = make(1, 10);
    const all = [jobs.run('running')];
    for (const account of ['x', 'y', 'z']) all.push(jobs.run(account, { account, network: 'a' }));
    all.push(jobs.run('far', { account: 'far', network: 'b' }));
    await jobs.endAll();
    await Promise.all(all);
    expect(jobs.begun).toEqual(['running', 'x', 'far', 'y', 'z']);
  });

  it('always has room for a first job, while one client fills it with others', async () => {
    const client = fc.record({
      account: fc.constantFrom('a', 'b', 'c'),
      network: fc.constantFrom('1', '2'),
      known: fc.boolean(),
    });
    const room = async (flood: HashingClient[], known: boolean): Promise<void> => {
      const [queue, jobs] = make(1, 4);
      const all = flood.map((each, i) => jobs.run(String(i), each));
      const newcomer = { account: 'owner', network: '3', known };
      queue.requireRoom(newcomer);
      const own = jobs.run('owner', newcomer);
      expect(queue.length).toBeLessThanOrEqual(8);
      await jobs.endAll();
      expect(await own).toBe('owner');
      // Behind the one that ran, and at most the first of each of the three, of both lines in turns.
      expect(jobs.begun.indexOf('owner')).toBeLessThanOrEqual(7);
      await Promise.all(all);
    };
    await fc.assert(fc.asyncProperty(fc.array(client, { minLength: 1, maxLength: 40 }), fc.boolean(), room));
  });

  it('lets known clients and strangers take turns', async () => {
    const [, jobs] = make(1, 10);
    const all = [jobs.run('running')];
    for (const name of ['s1', 's2', 's3']) all.push(jobs.run(name));
    for (const name of ['k1', 'k2', 'k3']) all.push(jobs.run(name, { known: true }));
    await jobs.endAll();
    await Promise.all(all);
    expect(jobs.begun).toEqual(['running', 'k1', 's1', 'k2', 's2', 'k3', 's3']);
  });

  it('refuses a job that has waited too long, and does not begin it', async () => {
    const [queue, jobs] = make(1, 10, 20);
    const running = jobs.run('running');
    expect(await jobs.run('late')).toBe('refused');
    await jobs.endAll();
    expect([await running, jobs.begun, queue.refused]).toEqual(['running', ['running'], 1]);
  });

  it('does not begin a job whose client has closed the connection', async () => {
    const [queue, jobs] = make(1, 10);
    let left = false;
    const all = [jobs.run('running'), jobs.run('gone', { hasLeft: () => left }), jobs.run('next')];
    left = true;
    await jobs.endAll();
    expect(await Promise.all(all)).toEqual(['running', 'refused', 'next']);
    expect([jobs.begun, queue.running]).toEqual([['running', 'next'], 0]);
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
