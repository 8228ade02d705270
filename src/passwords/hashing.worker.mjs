// @ts-check
import { hashSync, verifySync } from '@node-rs/argon2';
import { setPriority } from 'node:os';

/**
 * The least priority. A Linux thread still gets what the others leave; with the usual priority, a request of one
 * millisecond would wait for hashes of twenty where all cores are busy. Elsewhere it would be that of the whole process.
 */
const NICENESS = 19;
if (process.platform === 'linux') setPriority(NICENESS);

/**
 * @param {{ password: string, parameters: import('@node-rs/argon2').Options }} job
 * @returns {string} a PHC string
 */
export function hash({ password, parameters }) {
  return hashSync(password, parameters);
}

/**
 * @param {{ password: string, passwordHash: string }} job
 * @returns {boolean}
 * @throws Error if the hash is malformed
 */
export function verify({ password, passwordHash }) {
  return verifySync(passwordHash, password);
}
