import { Injectable } from '@nestjs/common';
import { hash, verify } from '@node-rs/argon2';
import { randomBytes } from 'node:crypto';

/** OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, two passes, one lane. */
const ARGON2ID = 2;
const PARAMETERS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** A well-formed hash that no password has, with the parameters of real ones, so that it costs the same. */
const NOBODYS_HASH = [
  '$argon2id$v=19',
  `m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}`,
  base64(randomBytes(16)),
  base64(randomBytes(32)),
].join('$');

/** Hashes off the event loop, on libuv's threads. */
@Injectable()
export class PasswordHasher {
  async hash(password: string): Promise<string> {
    return hash(normalise(password), PARAMETERS);
  }

  /** Without a hash (no such user) it does the same work and says no: the time tells nothing (ASVS 6.3.8). */
  async verify(passwordHash: string | undefined, password: string): Promise<boolean> {
    const matches = await verify(passwordHash ?? NOBODYS_HASH, normalise(password));
    return matches && passwordHash !== undefined;
  }
}

/** NFC, the one permitted change: keyboards differ in how they compose the same letters. No trimming, no cutting. */
function normalise(password: string): string {
  return password.normalize('NFC');
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
