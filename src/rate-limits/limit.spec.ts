import { describe, expect, it } from '@jest/globals';
import { AuthOptionsError, resolveOptions } from '../auth/options/resolve-options.js';
import { parseLimit } from './limit.js';

const keys = { keys: [] };
const BAD = [
  '',
  '10',
  'per 1h',
  '0 per 1h',
  '-1 per 1h',
  '1.5 per 1h',
  '10 per',
  '10 per hour',
  '10/1h',
  ' 10 per 1h',
];
const BAD_WINDOWS = ['10 per 0s', '10 per 15d', '10 per 100w', '10000000 per 1h'];

describe('a limit', () => {
  it.each([
    ['10 per 1h', 10, 3600],
    ['1 per 1s', 1, 1],
    ['9999999 per 2w', 9_999_999, 1_209_600],
    ['5 per 1h 30m', 5, 5400],
  ])('%s', (text, points, seconds) => {
    expect(parseLimit(text)).toEqual({ points, seconds });
  });

  it.each([...BAD, ...BAD_WINDOWS])('is not "%s"', (text) => {
    expect(() => parseLimit(text)).toThrow(RangeError);
    expect(() => resolveOptions({ keys, limits: { account: text } })).toThrow(
      'limits.account: must be a limit like "10 per 1h"',
    );
  });

  it('is not a number', () => {
    expect(() => resolveOptions({ keys, limits: { refresh: 10 as unknown as string } })).toThrow(
      AuthOptionsError,
    );
  });

  it('has the defaults that are documented', () => {
    expect({ ...resolveOptions({ keys }).limits }).toEqual({
      account: '10 per 1h',
      accountAndAddress: '5 per 15m',
      address: '100 per 1h',
      device: '10 per 1h',
      register: '20 per 1h',
      refresh: '60 per 1m',
    });
  });
});
