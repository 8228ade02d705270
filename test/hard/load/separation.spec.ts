import { describe, expect, it } from '@jest/globals';
import { separation, strayOf } from './separation.js';

const random = (n: number, shift = 0) => Array.from({ length: n }, () => Math.random() + shift);

describe('separation', () => {
  it.each([
    ['the first always greater', [3, 4], [1, 2], 1],
    ['the first always less', [1, 2], [3, 4, 5], 0],
    ['the same', [1, 2, 3], [1, 2, 3], 0.5],
    ['ties alone', [1, 1], [1, 1, 1], 0.5],
    ['three of four pairs', [2, 4], [1, 3], 0.75],
    ['a tie counted half', [1, 3], [1, 2], 0.625],
  ])('%s', (_, first, second, expected) => {
    expect(separation(first, second)).toBe(expected);
  });

  it('strays from a half as much as it says', () => {
    const strays = Array.from({ length: 400 }, () => separation(random(50), random(50)) - 0.5);
    const deviation = Math.hypot(...strays) / Math.sqrt(strays.length);
    expect(deviation / strayOf(50)).toBeGreaterThan(0.8);
    expect(deviation / strayOf(50)).toBeLessThan(1.25);
  });

  it('sees a difference that is a tenth of what the values stray', () => {
    expect(separation(random(2_000, 0.1), random(2_000))).toBeGreaterThan(0.5 + 4 * strayOf(2_000));
  });
});
