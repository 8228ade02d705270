import { expect, it } from '@jest/globals';
import { RepeatedFailure } from './repeated-failure.js';

it('a failure that repeats is reported at first, with a new message, and each 60th time with the count', () => {
  const reports: string[] = [];
  const failure = new RepeatedFailure((message) => reports.push(message));
  for (let i = 0; i < 120; i++) failure.add('refused');
  failure.add('reset');
  expect(reports).toEqual([
    'refused',
    'refused (failed 60 times)',
    'refused (failed 120 times)',
    'reset (failed 121 times)',
  ]);
  expect([failure.end(), failure.end()]).toEqual([121, 0]);
  failure.add('reset');
  expect(reports.at(-1)).toBe('reset');
});
