import { normalizeTrustedOrigin } from '@nestjs/core/security/cross-origin-protection.js';
import { Transform } from 'class-transformer';
import { registerDecorator } from 'class-validator';

/** One value stands for a list of one. */
export function ToList(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? [value] : value));
}

/** Exact origins, as browsers write them: no path, no trailing slash, no wildcard. */
export function TrustedOrigins(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'trustedOrigins',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value) => Array.isArray(value) && value.every(isOrigin),
        defaultMessage: () => 'must list exact origins like https://app.example.com',
      },
    });
}

function isOrigin(value: string): boolean {
  try {
    return normalizeTrustedOrigin(value) === value;
  } catch {
    return false;
  }
}
