import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { HashingQueue } from './hashing-queue.js';
import { HashingThreads } from './hashing-threads.js';

/** OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, two passes, one lane. */
const ARGON2ID = 2;
const PARAMETERS = { algorithm: ARGON2ID, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** How a hash with these parameters begins, whatever the salt. */
const PREFIX = `$argon2id$v=19$m=${PARAMETERS.memoryCost},t=${PARAMETERS.timeCost},p=${PARAMETERS.parallelism}$`;

/** A well-formed hash that no password has, with the parameters of real ones, so that it costs the same. */
const NOBODYS_HASH = `${PREFIX}${base64(randomBytes(16))}$${base64(randomBytes(32))}`;

/** Hashes off the event loop, on threads of its own, and no more at once than the machine can bear. */
@Injectable()
export class PasswordHasher implements OnApplicationShutdown {
  private readonly threads = new HashingThreads(PARAMETERS);

  constructor(private readonly queue: HashingQueue) {}

  /** Requests that had begun have been answered by now. */
  async onApplicationShutdown(): Promise<void> {
    await this.threads.close();
  }

  /** @throws HashingOverloadedError */
  async hash(password: string): Promise<string> {
    return this.queue.run(() => this.threads.hash(normalise(password)));
  }

  /**
   * Without a hash (no such user) it does the same work and says no: the time tells nothing (ASVS 6.3.8).
   * @throws HashingOverloadedError
   */
  async verify(passwordHash: string | undefined, password: string): Promise<boolean> {
    const hash = passwordHash ?? NOBODYS_HASH;
    const matches = await this.queue.run(() => this.threads.verify(hash, normalise(password)));
    return matches && passwordHash !== undefined;
  }

  /** Whether a hash was made with other parameters than are used today. */
  isOutdated(passwordHash: string): boolean {
    return !passwordHash.startsWith(PREFIX);
  }
}

/** NFC, the one permitted change: keyboards differ in how they compose the same letters. No trimming, no cutting. */
export function normalise(password: string): string {
  return password.normalize('NFC');
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
