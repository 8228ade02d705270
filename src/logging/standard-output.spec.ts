import { expect, it } from '@jest/globals';
import { Writable } from 'node:stream';
import { StandardOutput } from './standard-output.js';

it('lines that nobody reads are dropped beyond 4 MB, and counted once they are read', () => {
  const received: string[] = [];
  let resume = () => {};
  const stream = new Writable({
    decodeStrings: false,
    highWaterMark: 1,
    write: (line: string, _, done) => {
      received.push(line);
      resume = done;
    },
  });
  const output = new StandardOutput(stream, (line) => `> ${line}`);
  const line = `${'x'.repeat(1024 * 1024 - 1)}\n`;
  for (let i = 0; i < 10; i++) output.write(line);
  expect(stream.writableLength).toBeLessThan(6 * 1024 * 1024);
  while (stream.writableLength > 0) resume();
  output.write('read again\n');
  while (stream.writableLength > 0) resume();
  expect(received.filter((text) => text.startsWith('> xxx')).length).toBe(4);
  expect(received.at(-2)).toContain('"msg":"6 lines were dropped because the log was not read"');
  expect(received.at(-1)).toBe('> read again\n');
});

it('a reader that has gone does not end the process', () => {
  const stream = new Writable({ write: (_, __, done) => done() });
  const output = new StandardOutput(stream);
  expect(() => stream.emit('error', new Error('EPIPE'))).not.toThrow();
  expect(() => output.write('later\n')).not.toThrow();
});
