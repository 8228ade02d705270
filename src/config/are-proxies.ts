import { registerDecorator, type ValidationArguments } from 'class-validator';
import { isIP } from 'node:net';

/** Addresses and networks in CIDR notation, none of which is everybody: then anybody could say to be anybody. */
export function AreProxies(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'areProxies',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value) => Array.isArray(value) && value.every(isNetwork),
        defaultMessage: ({ value }: ValidationArguments) =>
          `must list addresses or networks like 10.0.0.0/8, none of which is everybody; ${JSON.stringify(
            (value as unknown[]).find((item) => !isNetwork(item)),
          )} is none`,
      },
    });
}

function isNetwork(value: unknown): boolean {
  const [, address = '', prefix] = /^([\d.a-f:]+)(?:\/(\d{1,3}))?$/i.exec(String(value)) ?? [];
  const version = isIP(address);
  if (version === 0) return false;
  if (prefix === undefined) return true;
  // Of IPv6, the 96 bits before it stand for all of IPv4.
  const widest = version === 6 && /^[0:]*:ffff:/i.test(address) ? 97 : 1;
  return Number(prefix) >= widest && Number(prefix) <= (version === 4 ? 32 : 128);
}
