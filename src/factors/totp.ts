import { createHmac } from 'node:crypto';

/** What every authenticator application supports, and the only values that many do (RFC 6238 §5). */
const DIGITS = 6;
const STEP_SECONDS = 30;
/** Steps before and after the current one that are accepted, for clocks that differ and people who type slowly. */
const WINDOW = 1;

/** The step of a time in milliseconds. */
export function stepAt(now: number): number {
  return Math.floor(now / 1000 / STEP_SECONDS);
}

/** The steps whose codes are accepted, the current one first. */
export function acceptedSteps(now: number): number[] {
  const current = stepAt(now);
  const around = Array.from({ length: WINDOW }, (_, n) => [current - n - 1, current + n + 1]);
  return [current, ...around.flat()];
}

/** RFC 4226 §5.3, with the step as the counter. */
export function codeOf(secret: Buffer, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const digest = createHmac('sha1', secret).update(counter).digest();
  const offset = digest.readUInt8(digest.length - 1) & 0xf;
  const number = digest.readUInt32BE(offset) & 0x7fffffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, '0');
}

/** The URI that authenticator applications read from a QR code. */
export function otpauthUri(secret: Buffer, issuer: string, account: string): string {
  const label = [issuer, account].map(encodeURIComponent).join(':');
  const parameters = {
    secret: base32(secret),
    issuer,
    algorithm: 'SHA1',
    digits: DIGITS,
    period: STEP_SECONDS,
  };
  const query = Object.entries(parameters).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return `otpauth://totp/${label}?${query.join('&')}`;
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** RFC 4648 §6, without padding: for whole groups of 5 bytes. */
export function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{5}/g) ?? []).map((group) => BASE32.charAt(Number.parseInt(group, 2))).join('');
}
