// @ts-check
import { hashSync, verifySync } from '@node-rs/argon2';
import { createHash, pbkdf2Sync, scryptSync, timingSafeEqual } from 'node:crypto';
import { setPriority } from 'node:os';

/**
 * The lowest priority, set on Linux only, where each thread has its own: elsewhere it would be that of the whole process.
 * With the usual priority, a request of one millisecond would wait for hashes of twenty while all cores are busy.
 */
const NICENESS = 19;
if (process.platform === 'linux') setPriority(NICENESS);

/** Bytes: more than the bounds of `stored-hash.ts` allow. Node's default is less than usual hashes need. */
const SCRYPT_MAX_MEMORY = 320 * 1024 * 1024;

/**
 * @param {{ password: string, parameters: import('@node-rs/argon2').Options }} job
 * @returns {string} a PHC string
 */
export function hash({ password, parameters }) {
  return hashSync(password, parameters);
}

/**
 * @param {{ password: string, stored: import('./stored-hash.js').StoredHash }} job
 * @returns {boolean | Promise<boolean>}
 * @throws Error if the hash is malformed
 */
export function verify({ password, stored }) {
  switch (stored.scheme) {
    case 'argon2':
      return verifySync(stored.hash, password);
    case 'bcrypt':
      return verifyBcrypt(password, stored);
    case 'scrypt': {
      const { N, r, p, salt, key } = stored;
      return timingSafeEqual(
        key,
        scryptSync(password, salt, key.length, { N, r, p, maxmem: SCRYPT_MAX_MEMORY }),
      );
    }
    case 'pbkdf2': {
      const { digest, iterations, salt, key } = stored;
      return timingSafeEqual(key, pbkdf2Sync(password, salt, iterations, key.length, digest));
    }
  }
}

/**
 * Loaded at the first such hash: most servers never meet one.
 * @param {string} password
 * @param {{ hash: string, sha256: boolean }} stored
 * @returns {Promise<boolean>}
 */
async function verifyBcrypt(password, { hash: text, sha256 }) {
  const { verifySync: verifyText } = await import('@node-rs/bcrypt');
  return verifyText(sha256 ? createHash('sha256').update(password).digest('hex') : password, text);
}
