import { Transform } from 'class-transformer';
import { registerDecorator, type ValidationArguments } from 'class-validator';
import { formatDuration, parseDuration } from './duration.js';

/**
 * A duration such as `15m`, or a number of milliseconds; stored in milliseconds. Must be whole seconds, because tokens
 * have times in seconds; that also refuses `3600`, meant as seconds.
 */
export function IsDuration({
  min = '1s',
  max = '100w',
}: { min?: string; max?: string } = {}): PropertyDecorator {
  return (target, property) => {
    Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? durationOrText(value) : value))(
      target,
      property,
    );
    registerDecorator({
      name: 'isDuration',
      target: target.constructor,
      propertyName: String(property),
      constraints: [min, max],
      validator: {
        validate: (value) =>
          isWholeSeconds(value) && value >= parseDuration(min) && value <= parseDuration(max),
        defaultMessage: ({ value }: ValidationArguments) =>
          `must be a duration from ${min} to ${max}, like 30s, 5m, 1h, 1d, 2w or "2d 3h 15m"${advice(value)}`,
      },
    });
  };
}

function isWholeSeconds(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) % 1000 === 0;
}

/** Adds advice for a number that was probably meant as seconds. */
function advice(value: unknown): string {
  if (!Number.isSafeInteger(value) || isWholeSeconds(value) || Number(value) < 0) return '';
  const seconds = Number(value);
  return `; the number ${seconds} is milliseconds: for ${seconds} seconds write '${formatDuration(seconds * 1000)}' or ${seconds * 1000}`;
}

function durationOrText(text: string): number | string {
  try {
    return parseDuration(text);
  } catch {
    return text;
  }
}
