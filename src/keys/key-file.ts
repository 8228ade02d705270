import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { KeyRingError, RSA_BITS, SECRET_BYTES, type KeyUse, type SigningAlgorithm } from './key-material.js';
import { type PrivateJwk, type PrivateJwkSet, readKeySet } from './key-ring.js';

/** Where the keys come from: a file, which the first start may create, or the keys themselves. */
export type KeySource = { file: string; create: boolean } | PrivateJwkSet;

/** The default algorithm of each use: others verify access tokens, only this server uses the other keys. */
export const DEFAULT_ALGORITHM: Record<KeyUse, SigningAlgorithm> = {
  access: 'ES256',
  refresh: 'HS256',
  factor: 'HS256',
};

/** Readable by its owner only. */
const MODE = 0o600;
const GROUP_AND_OTHERS = 0o077;

/**
 * Reads the private JWK Set. If it is missing and `create` allows it, creates it first (mode 0600).
 * @throws KeyRingError that says what is wrong with the file and how to mend it
 */
export function openKeyFile(path: string, options: { create: boolean }): PrivateJwkSet {
  const present = readIfPresent(path);
  if (present !== undefined) return parseKeyFile(path, present);
  if (!options.create) {
    throw new KeyRingError(
      `${path} does not exist, and in production it is not created; create it with \`npm run keys -- generate\``,
    );
  }
  const set = generateKeySet();
  if (createKeyFile(path, set)) return set;
  // Another instance was first: all instances use its keys.
  return parseKeyFile(path, readIfPresent(path) ?? '');
}

/** Reads an existing file. @throws KeyRingError */
export function readKeyFile(path: string): PrivateJwkSet {
  const text = readIfPresent(path);
  if (text === undefined) {
    throw new KeyRingError(`${path} does not exist; create it with \`npm run keys -- generate\``);
  }
  return parseKeyFile(path, text);
}

/** Parses a key file. Does not check whether a key signs now. @throws KeyRingError that names the file */
export function parseKeyFile(path: string, text: string): PrivateJwkSet {
  let set: PrivateJwkSet;
  try {
    set = JSON.parse(text) as PrivateJwkSet;
  } catch {
    throw new KeyRingError(`${path} is not JSON; restore it from a backup (a new file logs all users out)`);
  }
  naming(path, () => readKeySet(set));
  return set;
}

/** Adds the name of the file to the errors of a check. */
export function naming<T>(path: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    throw error instanceof KeyRingError ? new KeyRingError(`${path}: ${error.message}`) : error;
  }
}

/** Returns the mode of a key file that group or others can open, like `0644`; undefined if only its owner can. */
export function exposedMode(path: string): string | undefined {
  // Windows has no such modes, and reports 0666 for every file.
  if (process.platform === 'win32') return undefined;
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & GROUP_AND_OTHERS) === 0 ? undefined : `0${(mode & 0o777).toString(8)}`;
}

export function generateKeySet(access: SigningAlgorithm = DEFAULT_ALGORITHM.access): PrivateJwkSet {
  return {
    keys: [
      generateKey('access', access),
      generateKey('refresh', DEFAULT_ALGORITHM.refresh),
      generateKey('factor', DEFAULT_ALGORITHM.factor),
    ],
  };
}

export function generateKey(kind: KeyUse, alg: SigningAlgorithm): PrivateJwk {
  return { ...generateMaterial(alg), kid: randomUUID(), alg, use: 'sig', token_use: kind };
}

function generateMaterial(alg: SigningAlgorithm) {
  switch (alg) {
    case 'HS256':
      return { kty: 'oct', k: randomBytes(SECRET_BYTES).toString('base64url') };
    case 'ES256':
      return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' });
    case 'ES384':
      return generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({ format: 'jwk' });
    case 'RS256':
    case 'PS256':
      return generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey.export({ format: 'jwk' });
  }
}

/**
 * Creates the file: writes it under a temporary name, flushes and links it, so that a crash leaves no partial file. If
 * several instances start at once, one wins and the others read its keys.
 * @returns false, and changes nothing, if the file exists
 */
export function createKeyFile(path: string, set: PrivateJwkSet): boolean {
  const draft = `${path}.${randomUUID()}`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeDraft(draft, set);
    try {
      linkSync(draft, path);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      // A dangling link exists too, but holds no keys.
      statSync(path);
      return false;
    } finally {
      unlinkSync(draft);
    }
  } catch (error) {
    throw new KeyRingError(`${path} cannot be created: ${(error as Error).message}`);
  }
}

/**
 * Replaces the whole file and keeps its mode and owner, so that the server can still read it. If the path is a link, replaces
 * the file that it points to.
 * @throws KeyRingError
 */
export function replaceKeyFile(path: string, set: PrivateJwkSet): void {
  const target = realpathSync(path);
  const draft = `${target}.${randomUUID()}`;
  try {
    try {
      writeDraft(draft, set, target);
      renameSync(draft, target);
    } finally {
      rmSync(draft, { force: true });
    }
    flush(dirname(target));
  } catch (error) {
    throw new KeyRingError(`${path} cannot be written: ${(error as Error).message}`);
  }
}

/** @param like a file whose mode and owner to copy */
function writeDraft(draft: string, set: PrivateJwkSet, like?: string): void {
  const file = openSync(draft, 'wx', MODE);
  try {
    if (like !== undefined) {
      const { mode, uid, gid } = statSync(like);
      if (uid !== process.getuid?.() || gid !== process.getgid?.()) fchownSync(file, uid, gid);
      fchmodSync(file, mode & 0o777);
    }
    writeFileSync(file, `${JSON.stringify(set, null, 2)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Flushes the folder, so that the rename survives a power failure. Ignored where folders cannot be flushed. */
function flush(folder: string): void {
  try {
    const handle = openSync(folder, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch {
    // Windows.
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new KeyRingError(`${path} cannot be read: ${(error as Error).message}`);
  }
}
