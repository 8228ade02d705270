import { setTimeout as delay } from 'node:timers/promises';

/** Asks again and again. @returns after how many milliseconds it held. @throws Error after `limit` milliseconds */
export async function until(limit: number, holds: () => Promise<boolean>): Promise<number> {
  const began = performance.now();
  while (!(await holds())) {
    if (performance.now() - began > limit) throw new Error(`does not hold after ${limit} ms`);
    await delay(10);
  }
  return performance.now() - began;
}
