import { Transform } from 'class-transformer';
import {
  IsIn,
  Matches,
  registerDecorator,
  type ValidationArguments,
  type ValidationOptions,
} from 'class-validator';
import { isIP } from 'node:net';

/** RFC 9110 §5.6.2: the characters of header names, cookie names and methods. */
const HTTP_TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** RFC 1034 §3.5. A cookie with another domain is never stored, and every login would fail. */
const DOMAIN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;

export const IsHttpToken = (options?: ValidationOptions) =>
  Matches(HTTP_TOKEN, { message: 'must be a name of visible ASCII without separators', ...options });
export const IsCookieDomain = () => Matches(DOMAIN, { message: 'must be a domain name' });
export const IsMember = () => Matches(/^[\w-]+$/, { message: 'must be made of letters, digits, _ and -' });
export const IsPath = () => Matches(/^\/[!-:<-~]*$/, { message: 'must be a path that begins with /' });
export const IsText = (each = false) => Matches(/\S/, { each, message: 'must not be blank' });
export const MustBe = (values: readonly string[], each = false) =>
  IsIn(values, { each, message: `must be one of ${values.join(', ')}` });

/** A single value is a list of one. */
export function ToList(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? [value] : value));
}

/** A whole number, or its decimal digits as text; `1e3`, `0x10` and `80 ` are refused. */
export function IsWholeNumber(min: number, max: number): PropertyDecorator {
  return (target, property) => {
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value,
    )(target, property);
    registerDecorator({
      name: 'isWholeNumber',
      target: target.constructor,
      propertyName: String(property),
      constraints: [min, max],
      validator: {
        validate: (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
        defaultMessage: () => `must be a whole number from ${min} to ${max}`,
      },
    });
  };
}

/** Exact origins as pages send them in `Origin`: no path, no trailing slash, no wildcard. */
export const AreOrigins = () => IsListOf('origins', isOrigin, 'origin (expected https://app.example)');

/** The URL of a page in a browser, without credentials, query or fragment, and without a slash at the end. */
export function IsAppUrl(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'isAppUrl',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: isAppUrl,
        defaultMessage: () => 'must be a URL like https://app.example, without a slash at the end',
      },
    });
}

function isAppUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, origin, pathname } = new URL(value);
  return /^https?:$/.test(protocol) && value === origin + pathname.replace(/\/$/, '');
}

/** Addresses and networks in CIDR notation. One that covers every address is refused: any client could then forge its own. */
export const AreNetworks = () =>
  IsListOf('networks', isNetwork, 'address or network (expected one like 10.0.0.0/8, not all addresses)');

function IsListOf(name: string, isMember: (value: unknown) => boolean, expected: string): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name,
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value) => Array.isArray(value) && value.every(isMember),
        defaultMessage: ({ value }: ValidationArguments) =>
          Array.isArray(value)
            ? `${JSON.stringify(value.find((item) => !isMember(item)))} is not a valid ${expected}`
            : 'must be an array',
      },
    });
}

/** URL schemes without a network origin. */
const NOT_OF_PAGES = ['ftp:', 'ws:', 'wss:', 'file:', 'data:', 'blob:', 'javascript:'];

/**
 * An exact origin (RFC 6454). Pages of app shells have schemes of their own (`capacitor://localhost`, `app://name`); for
 * these `URL.origin` is "null", while browsers send scheme and host.
 */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, host, hostname } = new URL(value);
  return (
    host !== '' &&
    /^[\w.:[\]-]+$/.test(host) &&
    !hostname.includes('*') &&
    !NOT_OF_PAGES.includes(protocol) &&
    value === `${protocol}//${host}`
  );
}

function isNetwork(value: unknown): boolean {
  const [, address = '', prefix] = /^([\d.a-f:]+)(?:\/(\d{1,3}))?$/i.exec(String(value)) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  if (prefix === undefined) return true;
  // The IPv4 addresses are a /96 of IPv6.
  const widest = version === 6 && /^[0:]*:ffff:/i.test(address) ? 97 : 1;
  return Number(prefix) >= widest && Number(prefix) <= (version === 4 ? 32 : 128);
}
