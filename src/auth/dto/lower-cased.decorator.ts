import { Transform } from 'class-transformer';

/**
 * Trims a username and lower-cases A to Z only. Unicode's rules would turn other letters into ASCII (the Kelvin sign
 * into k), and different names would become one.
 */
export function LowerCased(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? lowerCased(value) : value,
  );
}

/** The same for a username that is not in a body. */
export function lowerCased(username: string): string {
  return username.trim().replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
