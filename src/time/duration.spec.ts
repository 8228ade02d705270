import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { formatDuration, parseDuration } from './duration.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('parseDuration', () => {
  it.each([
    ['0s', 0],
    ['30s', 30 * SECOND],
    ['5m', 5 * MINUTE],
    ['1h', HOUR],
    ['1d', DAY],
    ['2w', 14 * DAY],
    ['2d 3h 15m', 2 * DAY + 3 * HOUR + 15 * MINUTE],
    ['1w1d1h1m1s', 8 * DAY + HOUR + MINUTE + SECOND],
    ['90m', 90 * MINUTE],
    [' 5m ', 5 * MINUTE],
    ['36525d', 36_525 * DAY],
  ])('reads "%s" as %d ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds);
  });

  it.each([
    '',
    ' ',
    '5',
    'm',
    'm5',
    '5 m',
    '5M',
    '5ms',
    '5 minutes',
    '-5m',
    '+5m',
    '1.5h',
    '1,5h',
    '1e3s',
    '0x5s',
    '٥m',
    '1h 2h',
    '5m 1h',
    '1h,5m',
    '1h 5',
    'P1D',
    'Infinity',
  ])('refuses "%s" and says how to write one', (text) => {
    expect(() => parseDuration(text)).toThrow(RangeError);
    expect(() => parseDuration(text)).toThrow(`"${text}" is not a duration; write it like 30s, 5m`);
  });

  it.each(['99999w', '36525d 1s', `${'9'.repeat(400)}s`])('refuses "%s", longer than 100 years', (text) => {
    expect(() => parseDuration(text)).toThrow(new RangeError(`"${text}" is longer than 100 years`));
  });
});

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [15 * MINUTE, '15m'],
    [30 * DAY, '4w 2d'],
    [2 * DAY + 3 * HOUR + 15 * MINUTE, '2d 3h 15m'],
  ])('writes %d ms as "%s"', (milliseconds, text) => {
    expect(formatDuration(milliseconds)).toBe(text);
  });

  it('writes any whole number of seconds so that it is read back as the same', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: (36_525 * DAY) / SECOND }), (seconds) => {
        expect(parseDuration(formatDuration(seconds * SECOND))).toBe(seconds * SECOND);
      }),
    );
  });
});
