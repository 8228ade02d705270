import { describe, expect, it } from '@jest/globals';
import { after } from './maybe-promise.js';

describe('after', () => {
  it('goes on at once with what is known', () => {
    expect(after(1, (value) => value + 1)).toBe(2);
    for (const nothing of [undefined, null, false, 0, ''])
      expect(after(nothing, (value) => [value])).toEqual([nothing]);
  });

  it('waits for a promise, and for what is one by its form alone', async () => {
    // eslint-disable-next-line unicorn/no-thenable -- as the clients of some databases return
    const thenable = { then: (done: (value: boolean) => void) => done(false) } as unknown as Promise<boolean>;
    for (const promise of [Promise.resolve(false), thenable]) {
      const result = after(promise, (value) => ({ value }));
      expect(result).toBeInstanceOf(Promise);
      expect(await result).toEqual({ value: false });
    }
  });

  it('passes on what fails, before and after', async () => {
    const fail = () => {
      throw new Error('no');
    };
    expect(() => after(1, fail)).toThrow('no');
    await expect(after(Promise.resolve(1), fail)).rejects.toThrow('no');
    await expect(after(Promise.reject(new Error('never')), () => 1)).rejects.toThrow('never');
  });
});
