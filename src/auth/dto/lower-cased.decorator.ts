import { Transform } from 'class-transformer';

/**
 * Drops the spaces around a username on the way in, and lower-cases A to Z alone: by Unicode's rules other letters would
 * become ASCII too (the Kelvin sign a k), and different names would be one.
 */
export function LowerCased(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? lowerCased(value) : value,
  );
}

/** The same for a username that came another way. */
export function lowerCased(username: string): string {
  return username.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
