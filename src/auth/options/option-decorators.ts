import { normalizeTrustedOrigin } from '@nestjs/core/security/cross-origin-protection.js';
import { Transform } from 'class-transformer';
import { IsIn, Matches, registerDecorator, type ValidationOptions } from 'class-validator';

/** RFC 9110 §5.6.2: what the name of a header, of a cookie and of a method is made of. */
const HTTP_TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** RFC 1034 §3.5. What is none could be set in no cookie, and every login would fail. */
const DOMAIN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

export const IsHttpToken = (options?: ValidationOptions) =>
  Matches(HTTP_TOKEN, { message: 'must be a name of visible ASCII without separators', ...options });
export const IsCookieDomain = () => Matches(DOMAIN, { message: 'must be a domain name' });
export const IsMember = () => Matches(/^[\w-]+$/, { message: 'must be made of letters, digits, _ and -' });
export const IsPath = () => Matches(/^\/[!-:<-~]*$/, { message: 'must be a path that begins with /' });
export const IsText = (each = false) => Matches(/\S/, { each, message: 'must not be blank' });
export const MustBe = (values: readonly unknown[], each = false) =>
  IsIn(values, { each, message: `must be one of ${values.map(String).join(', ')}` });

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
