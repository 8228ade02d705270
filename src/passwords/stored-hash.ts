/** How the hashing thread verifies a password against a stored hash. */
export type StoredHash =
  | { scheme: 'argon2'; hash: string }
  /** `sha256`: Django's `bcrypt_sha256`, which hashes the hexadecimal SHA-256 of the password. */
  | { scheme: 'bcrypt'; hash: string; sha256: boolean }
  | { scheme: 'scrypt'; N: number; r: number; p: number; salt: Uint8Array; key: Uint8Array }
  | { scheme: 'pbkdf2'; digest: string; iterations: number; salt: Uint8Array; key: Uint8Array };

/** The hash is in no known spelling, or costs too much. The message is for an operator and never shows the hash. */
export class UnusableHashError extends Error {
  override readonly name = 'UnusableHashError';
}

/** Stored for an account without a password: no password matches it. */
export const NO_PASSWORD = '!';

/*
 * The maximum cost of one verification, about a second of one core. Without bounds, a hash that needs gigabytes or hours
 * would run with each login attempt for its account.
 */
const MAX_MEMORY_KIB = 262_144;
/** KiB times passes. */
const MAX_ARGON2_WORK = 1_048_576;
const MAX_LANES = 16;
const BCRYPT_COSTS = { min: 4, max: 14 };
/** N·r·p; one unit is 128 bytes that are written and read. */
const MAX_SCRYPT_WORK = 4_194_304;
const MAX_ITERATIONS = 2_000_000;
/** Visible ASCII, which every database keeps as it is. */
const READABLE = /^[!-~]{1,512}$/;
/** Bytes. A shorter key would match other passwords too. */
const MIN_KEY_LENGTH = 16;
const MAX_KEY_LENGTH = 128;
/** Bytes and base64 characters that argon2 allows for the salt; bytes for the key. */
const ARGON2_SALT = { minBytes: 8, maxLength: 64 };
const MAX_ARGON2_KEY_LENGTH = 64;

const UNKNOWN = 'is not an argon2, bcrypt, scrypt or PBKDF2 hash in a known spelling';

type Reader = (parts: Record<string, string | undefined>) => StoredHash;

/** The usual spellings: PHC (also passlib's), crypt's `$2b$`, Django's and Werkzeug's. */
const SPELLINGS: readonly (readonly [RegExp, Reader])[] = [
  [
    /^(?:argon2(?=\$))?(?<hash>\$argon2(?:id|i|d)(?:\$v=(?:16|19))?\$m=(?<m>\d+),t=(?<t>\d+),p=(?<p>\d+)\$(?<salt>[^$]+)\$(?<key>[^$]+))$/,
    readArgon2,
  ],
  [/^(?:(?<django>bcrypt|bcrypt_sha256)\$)?(?<hash>\$2[aby]\$(?<cost>\d\d)\$[./A-Za-z0-9]{53})$/, readBcrypt],
  // PHC and passlib.
  [
    /^\$scrypt\$ln=(?<ln>\d+),r=(?<r>\d+),p=(?<p>\d+)\$(?<salt>[^$]+)\$(?<key>[^$]+)$/,
    ({ ln, ...rest }) => readScrypt({ ...rest, N: String(2 ** Math.min(Number(ln), 64)) }, base64),
  ],
  // Django: the salt is text.
  [/^scrypt\$(?<N>\d+)\$(?<salt>[^$]+)\$(?<r>\d+)\$(?<p>\d+)\$(?<key>[^$]+)$/, (parts) => readScrypt(parts)],
  // Werkzeug: the salt is text, the key is hexadecimal.
  [
    /^scrypt:(?<N>\d+):(?<r>\d+):(?<p>\d+)\$(?<salt>[^$]+)\$(?<key>[^$]+)$/,
    (parts) => readScrypt(parts, utf8, hex),
  ],
  [
    /^\$pbkdf2(?:-(?<digest>sha1|sha256|sha512))?\$(?:i=)?(?<iterations>\d+)(?:,l=\d+)?\$(?<salt>[^$]+)\$(?<key>[^$]+)$/,
    (parts) => readPbkdf2(parts, base64),
  ],
  [
    /^pbkdf2_(?<digest>sha1|sha256)\$(?<iterations>\d+)\$(?<salt>[^$]+)\$(?<key>[^$]+)$/,
    (parts) => readPbkdf2(parts),
  ],
  [
    /^pbkdf2:(?<digest>sha1|sha256|sha512):(?<iterations>\d+)\$(?<salt>[^$]+)\$(?<key>[^$]+)$/,
    (parts) => readPbkdf2(parts, utf8, hex),
  ],
];

/** Reads a stored hash. @throws UnusableHashError */
export function readStoredHash(text: string): StoredHash {
  if (READABLE.test(text))
    for (const [spelling, read] of SPELLINGS) {
      const parts = spelling.exec(text)?.groups;
      if (parts) return read(parts);
    }
  throw new UnusableHashError(UNKNOWN);
}

function readArgon2({ hash = '', m, t, p, salt = '', key = '' }: Parameters<Reader>[0]): StoredHash {
  const lanes = within('parallelism', p, 1, MAX_LANES);
  const memory = within('memory in KiB', m, 8 * lanes, MAX_MEMORY_KIB);
  within('passes', t, 1, Math.floor(MAX_ARGON2_WORK / memory));
  within('length of the salt', base64(salt).length, ARGON2_SALT.minBytes);
  within('length of the salt in base64', salt.length, 1, ARGON2_SALT.maxLength);
  within('length of the key', base64(key).length, MIN_KEY_LENGTH, MAX_ARGON2_KEY_LENGTH);
  return { scheme: 'argon2', hash };
}

function readBcrypt({ hash = '', cost, django }: Parameters<Reader>[0]): StoredHash {
  within('cost', cost, BCRYPT_COSTS.min, BCRYPT_COSTS.max);
  return { scheme: 'bcrypt', hash, sha256: django === 'bcrypt_sha256' };
}

function readScrypt(parts: Parameters<Reader>[0], saltOf = utf8, keyOf = base64): StoredHash {
  const r = within('block size', parts['r'], 1, 64);
  const N = within('N', parts['N'], 2, Math.floor((MAX_MEMORY_KIB * 8) / r));
  if (!Number.isInteger(Math.log2(N))) throw new UnusableHashError(`has an N of ${N}, not a power of two`);
  const p = within('parallelism', parts['p'], 1, Math.floor(MAX_SCRYPT_WORK / (N * r)));
  return { scheme: 'scrypt', N, r, p, ...saltAndKey(parts, saltOf, keyOf) };
}

function readPbkdf2(parts: Parameters<Reader>[0], saltOf = utf8, keyOf = base64): StoredHash {
  const iterations = within('iterations', parts['iterations'], 1, MAX_ITERATIONS);
  const digest = parts['digest'] ?? 'sha1';
  return { scheme: 'pbkdf2', digest, iterations, ...saltAndKey(parts, saltOf, keyOf) };
}

function saltAndKey({ salt = '', key = '' }: Parameters<Reader>[0], saltOf = utf8, keyOf = base64) {
  const read = { salt: saltOf(salt), key: keyOf(key) };
  within('length of the key', read.key.length, MIN_KEY_LENGTH, MAX_KEY_LENGTH);
  return read;
}

/** @throws UnusableHashError that names the bound */
function within(what: string, given: string | number | undefined, min: number, max = Infinity): number {
  const value = Number(given);
  if (value < min) throw new UnusableHashError(`has ${what} ${value}, less than ${min}`);
  if (value > max) throw new UnusableHashError(`has ${what} ${value}, more than ${max}`);
  return value;
}

function utf8(text: string): Buffer {
  return Buffer.from(text, 'utf8');
}

function hex(text: string): Buffer {
  return decoded(text, 'hex', text.toLowerCase());
}

/** With or without padding; passlib writes a dot for the plus. */
function base64(text: string): Buffer {
  const plain = text.replaceAll('.', '+');
  return decoded(plain, 'base64', plain.replace(/={1,2}$/, ''));
}

/** Node skips characters that it cannot read, so several texts would be the same hash. */
function decoded(text: string, encoding: 'base64' | 'hex', canonical: string): Buffer {
  const bytes = Buffer.from(text, encoding);
  if (bytes.toString(encoding).replace(/=+$/, '') !== canonical) throw new UnusableHashError(UNKNOWN);
  return bytes;
}
