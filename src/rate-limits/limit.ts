import { registerDecorator } from 'class-validator';
import { parseDuration } from '../time/duration.js';

/** At most `points` times in a window, which begins with the first time. */
export interface Limit {
  points: number;
  seconds: number;
}

const PATTERN = /^([1-9]\d{0,6}) per (.+)$/;
const MAX_WINDOW_MS = parseDuration('2w');

/** Reads `10 per 1h`. @throws RangeError */
export function parseLimit(text: string): Limit {
  const [, points, duration] = PATTERN.exec(text) ?? [];
  const window = duration === undefined ? 0 : parseDuration(duration);
  // A timer of more than 24 days fires at once in Node.
  if (points === undefined || window === 0 || window > MAX_WINDOW_MS)
    throw new RangeError(`"${text}" is not a limit; write it like 10 per 1h, with a window from 1s to 2w`);
  return { points: Number(points), seconds: window / 1000 };
}

/** A limit such as `10 per 1h`. */
export function IsLimit(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'isLimit',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: isLimit,
        defaultMessage: () => 'must be a limit like "10 per 1h": 1 to 9999999, and a window from 1s to 2w',
      },
    });
}

function isLimit(value: unknown): boolean {
  try {
    return typeof value === 'string' && parseLimit(value).points > 0;
  } catch {
    return false;
  }
}
