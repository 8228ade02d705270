import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { KeyRing, KeyRingError, type PrivateJwkSet } from './key-ring.js';

/**
 * Reads the private JWK Set; where it is missing and `create` allows it, makes one first (mode 0600).
 * @throws KeyRingError that says what is wrong with the file and how to mend it
 */
export function openKeyFile(path: string, options: { create: boolean }): KeyRing {
  const text = readIfPresent(path) ?? (options.create ? createKeyFile(path) : undefined);
  if (text === undefined)
    throw new KeyRingError(`${path} does not exist, and in production it is never made`);
  let set: PrivateJwkSet;
  try {
    set = JSON.parse(text) as PrivateJwkSet;
  } catch {
    throw new KeyRingError(`${path} is not JSON; restore it from a backup (a new one logs everybody out)`);
  }
  try {
    return new KeyRing(set);
  } catch (error) {
    throw error instanceof KeyRingError ? new KeyRingError(`${path}: ${error.message}`) : error;
  }
}

export function generateKeySet(): PrivateJwkSet {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
  const secret = { kty: 'oct', k: randomBytes(32).toString('base64url') };
  return {
    keys: [
      { ...ec, kid: randomUUID(), alg: 'ES256', use: 'sig', token_use: 'access' },
      { ...secret, kid: randomUUID(), alg: 'HS256', use: 'sig', token_use: 'refresh' },
    ],
  };
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new KeyRingError(`${path} cannot be read: ${(error as Error).message}`);
  }
}

/**
 * Written whole to a private name, flushed, then linked: a crash leaves no half file, and of several instances
 * that start at once one wins and the others read its keys.
 */
function createKeyFile(path: string): string {
  const text = `${JSON.stringify(generateKeySet(), null, 2)}\n`;
  const draft = `${path}.${randomUUID()}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    const file = openSync(draft, 'wx', 0o600);
    try {
      writeSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    try {
      linkSync(draft, path);
      return text;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return readFileSync(path, 'utf8');
    } finally {
      unlinkSync(draft);
    }
  } catch (error) {
    throw new KeyRingError(`${path} cannot be made: ${(error as Error).message}`);
  }
}
