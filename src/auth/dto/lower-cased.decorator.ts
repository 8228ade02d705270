import { Transform } from 'class-transformer';

/**
 * Lower-cases a username on the way in: A to Z alone. By Unicode's rules other letters would become ASCII too (the
 * Kelvin sign a k), and one name would have several owners' spellings.
 */
export function LowerCased(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? lowerCased(value) : value,
  );
}

/** The same for a username that came another way. */
export function lowerCased(username: string): string {
  return username.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
