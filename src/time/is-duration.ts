import { Transform } from 'class-transformer';
import { registerDecorator } from 'class-validator';
import { parseDuration } from './duration.js';

/** A duration such as `15m`, or milliseconds; held in milliseconds. */
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
      validator: {
        validate: (value) =>
          Number.isSafeInteger(value) &&
          (value as number) >= parseDuration(min) &&
          (value as number) <= parseDuration(max),
        defaultMessage: () =>
          `must be a duration from ${min} to ${max}, like 30s, 5m, 1h, 1d, 2w or "2d 3h 15m"`,
      },
    });
  };
}

function durationOrText(text: string): number | string {
  try {
    return parseDuration(text);
  } catch {
    return text;
  }
}
