import { beforeEach, describe, expect, it } from '@jest/globals';
import { Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
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

describe('lines that may wait', () => {
  const received: string[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write: (text: string, _, done) => {
      received.push(text);
      done();
    },
  });
  beforeEach(() => void (received.length = 0));

  it('are written together, before the next line that may not', () => {
    const output = new StandardOutput(stream);
    output.writeSoon('1\n');
    output.writeSoon('2\n');
    expect(received).toEqual([]);
    output.write('3\n');
    expect(received).toEqual(['1\n2\n3\n']);
  });

  it('are written when 16,384 characters wait, and after the delay', async () => {
    const output = new StandardOutput(stream, (line) => line, 20);
    const line = `${'x'.repeat(1023)}\n`;
    for (let i = 0; i < 17; i++) output.writeSoon(line);
    expect(received).toEqual([line.repeat(16)]);
    await delay(60);
    expect(received).toEqual([line.repeat(16), line]);
  });

  it('are written by `flush`', () => {
    const output = new StandardOutput(stream);
    output.writeSoon('1\n');
    output.flush();
    output.flush();
    expect(received).toEqual(['1\n']);
  });
});
