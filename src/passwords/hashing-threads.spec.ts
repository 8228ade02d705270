import { afterEach, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { HashingThreads } from './hashing-threads.js';

const PARAMETERS = { algorithm: 2, memoryCost: 8, timeCost: 1, parallelism: 1 };
const threads = new HashingThreads(PARAMETERS);
afterEach(() => threads.close());

/** The priorities of the process's threads, by their ids: Linux alone tells. */
const priorities = () => readdirSync('/proc/self/task').map((id) => getPriority(Number(id)));

describe('hashing threads', () => {
  it('hash with the parameters, and verify', async () => {
    const hash = await threads.hash('space-corgi');
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=8,t=1,p=1\$/);
    expect(await threads.verify(hash, 'space-corgi')).toBe(true);
    expect(await threads.verify(hash, 'space-cat')).toBe(false);
  });

  it('throw what the library throws, and go on', async () => {
    await expect(threads.verify('no hash', 'space-corgi')).rejects.toThrow();
    expect(await threads.hash('space-corgi')).toMatch(/^\$argon2id/);
  });

  it('refuse a job whose thread is ended, and make another one', async () => {
    const job = threads.hash('space-corgi');
    await threads.close();
    await expect(job).rejects.toThrow('ended');
    expect(await threads.hash('space-corgi')).toMatch(/^\$argon2id/);
  });

  const linux = process.platform === 'linux' ? it : it.skip;
  linux('are the least urgent of the process, and kept between jobs', async () => {
    const before = priorities().filter((priority) => priority === 19).length;
    for (let i = 0; i < 3; i++) await threads.hash('space-corgi');
    const during = priorities();
    expect(during.filter((priority) => priority === 19)).toHaveLength(before + 1);
    expect(getPriority(process.pid)).toBeLessThan(19);
  });
});
