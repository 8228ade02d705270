import { describe, expect, it } from '@jest/globals';
import { type LoggerService } from '@nestjs/common';
import { createLog, createLogger } from './logger.js';
import { readable } from './readable.js';

const TOKEN = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJodW50ZXIyIn0.c2lnbmF0dXJl-_';

const lines: string[] = [];
const sink = { write: (line: string) => void lines.push(line), writeSoon: () => {} };
const logger = createLogger(createLog({ logLevel: 'debug', environment: 'production' }, sink).root);

/** What one call writes, as one line that parses. */
function written(work: (to: LoggerService) => void): { raw: string; line: Record<string, unknown> } {
  lines.length = 0;
  work(logger);
  expect(lines).toHaveLength(1);
  const [raw = ''] = lines;
  expect(raw.trimEnd().split(/[\n\r\u2028\u2029\u0085]/)).toHaveLength(1);
  return { raw, line: JSON.parse(raw) as Record<string, unknown> };
}

describe('the logger', () => {
  it('writes level, time, context and message', () => {
    const { line } = written((to) => to.log('hello', 'Here'));
    expect(line).toEqual({ level: 'info', time: expect.any(String), context: 'Here', msg: 'hello' });
  });

  it('takes an error with its stack, as Nest passes both, and redacts both', () => {
    const { raw, line } = written((to) => {
      const error = new Error(`bad ${TOKEN}\n    at forged (x:1:1)`);
      to.error(`500 internal_error: ${error.message}`, error.stack, 'Errors');
    });
    expect(raw).not.toContain('eyJ');
    expect(line).toMatchObject({ level: 'error', context: 'Errors', err: { stack: expect.any(String) } });
    expect(line['msg']).toContain('500 internal_error: bad [redacted]');
  });

  it('keeps an error that comes beside a message', () => {
    const { line } = written((to) => to.error('it failed', new Error('why'), 'Here'));
    expect(line).toMatchObject({ msg: 'it failed', err: { message: 'why', stack: expect.any(String) } });
  });

  it('redacts objects, and does not treat text as a format', () => {
    const { line } = written((to) => to.warn({ msg: '%s %j', headers: { cookie: 'x' } }, 'Here'));
    expect(line).toMatchObject({ msg: '%s %j', headers: { cookie: '[redacted]' } });
    expect(written((to) => to.log('100%s', 'Here')).line).toMatchObject({ msg: '100%s' });
  });

  it.each(['\n{"level":"fatal"}', '\r\n', '\u2028', '\u0085', '\u009b2J', '\u001b[2J'])(
    'makes one line of a message with %j',
    (text) => {
      const { raw, line } = written((to) => to.log(`user ${text} end`, 'Here'));
      expect(line['msg']).toBe(`user ${text} end`);
      expect(raw.trimEnd()).toMatch(/^[\u0020-\u007e]*$/);
    },
  );

  it('writes nothing below its level', () => {
    lines.length = 0;
    logger.verbose?.('x', 'Here');
    expect(lines).toEqual([]);
  });
});

describe('readable lines', () => {
  it('are one for an event, also where the message has lines of its own', () => {
    const { raw } = written((to) => to.warn('a\n12:00:00.000 FATAL [x] "forged" \u001b[2J', 'Here'));
    expect(readable(raw)).toMatch(
      /^\d\d:\d\d:\d\d\.\d{3} WARN {2}\[Here\] a\\n12:00:00\.000 FATAL \[x\] "forged" \\u001b\[2J\n$/,
    );
  });

  it('show the frames of a stack below, and nothing else of it', () => {
    const { raw } = written((to) => to.error('it failed', new Error('first\nsecond'), 'Here'));
    const [head, ...frames] = readable(raw).trimEnd().split('\n');
    expect(head).toContain('ERROR [Here] it failed');
    expect(frames.length).toBeGreaterThan(0);
    expect(frames.filter((frame) => !/^\s+at /.test(frame))).toEqual([]);
  });
});
