import { describe, expect, it, jest } from '@jest/globals';
import { Readable } from 'node:stream';
import { EndingIterator } from './ending-iterator.js';

/** A source that gives what `push` is told, and closes only when it is asked to. */
function makeSource() {
  const waiting: ((result: IteratorResult<number, undefined>) => void)[] = [];
  const source = {
    next: () => new Promise<IteratorResult<number, undefined>>((resolve) => waiting.push(resolve)),
    return: jest.fn(async () => ({ done: true as const, value: undefined })),
  };
  const push = (value: number) => waiting.shift()?.({ done: false, value });
  const finish = () => waiting.shift()?.({ done: true, value: undefined });
  return { source, push, finish };
}

describe('events that are ended from outside', () => {
  const error = new Error('revoked');

  it('are those of the source, until it is done', async () => {
    const { source, push, finish } = makeSource();
    const events = new EndingIterator(source);
    const done = jest.fn();
    events.onDone(done);
    const first = events.next();
    push(1);
    expect(await first).toEqual({ done: false, value: 1 });
    const last = events.next();
    finish();
    expect(await last).toEqual({ done: true, value: undefined });
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(done).toHaveBeenCalledTimes(1);
  });

  it('fail the read that waits, close the source, and then are done', async () => {
    const { source } = makeSource();
    const events = new EndingIterator(source);
    const done = jest.fn();
    events.onDone(done);
    const read = events.next();
    events.end(error);
    events.end(new Error('again'));
    await expect(read).rejects.toBe(error);
    expect(await events.next()).toEqual({ done: true, value: undefined });
    expect(source.return).toHaveBeenCalledTimes(1);
    expect(done).toHaveBeenCalledTimes(1);
  });

  it('fail the next read if none waits, even if the source has another event', async () => {
    const { source, push } = makeSource();
    const events = new EndingIterator(source);
    events.end(error);
    push(1);
    await expect(events.next()).rejects.toBe(error);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it('stop at once when their reader does, although the source waits', async () => {
    const { source } = makeSource();
    const events = new EndingIterator(source);
    const done = jest.fn();
    events.onDone(done);
    void events.next();
    expect(await events.return()).toEqual({ done: true, value: undefined });
    expect(done).toHaveBeenCalledTimes(1);
    events.end(error);
    expect(await events.next()).toEqual({ done: true, value: undefined });
  });

  it.each([
    ['answers without a promise', () => undefined],
    [
      'throws',
      () => {
        throw new Error('closed badly');
      },
    ],
  ])('end although the source %s when it is closed', async (_, close) => {
    const { source } = makeSource();
    const events = new EndingIterator({ ...source, return: close as never });
    const read = events.next();
    events.end(error);
    await expect(read).rejects.toBe(error);
  });

  it('are those of any iterable, such as a stream of Node', async () => {
    const events = new EndingIterator(Readable.from([1, 2]));
    expect(await events.next()).toEqual({ done: false, value: 1 });
    events.end(error);
    await expect(events.next()).rejects.toBe(error);
  });

  it('pass on a failure of the source', async () => {
    const source = { next: async () => Promise.reject(error) };
    const events = new EndingIterator(source);
    const done = jest.fn();
    events.onDone(done);
    await expect(events.next()).rejects.toBe(error);
    expect(done).toHaveBeenCalledTimes(1);
  });
});
