import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { type HashingClient } from './hashing-line.js';
import { HashingQueue } from './hashing-queue.js';
import { NO_PASSWORD, readStoredHash, type StoredHash } from './stored-hash.js';

const ARGON2ID = 2;

/**
 * Parameters of new hashes. OWASP Password Storage Cheat Sheet: argon2id, 19 MiB, two passes, one lane. A provider of its
 * own, so that the test kit can replace it: a test with a login would spend most of its time on hashing.
 */
@Injectable()
export class HashParameters {
  readonly algorithm: number = ARGON2ID;
  /** KiB */
  readonly memoryCost: number = 19_456;
  readonly timeCost: number = 2;
  readonly parallelism: number = 1;
}

/** Hashes passwords on separate threads, through a bounded queue. */
@Injectable()
export class PasswordHasher implements OnApplicationShutdown {
  // Started on demand and kept. The queue limits the jobs, so none waits in the pool.
  private readonly threads: Piscina;
  /** The prefix of every hash with these parameters. */
  private readonly prefix: string;
  /** A well-formed hash that matches no password, with the real parameters, so that it costs the same. */
  private readonly unknownUsersHash: StoredHash;
  private readonly logger = new Logger('PasswordHasher');

  constructor(
    private readonly queue: HashingQueue,
    private readonly parameters: HashParameters,
  ) {
    const { memoryCost, timeCost, parallelism } = parameters;
    this.prefix = `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$`;
    const hash = `${this.prefix}${base64(randomBytes(16))}$${base64(randomBytes(32))}`;
    this.unknownUsersHash = { scheme: 'argon2', hash };
    this.threads = new Piscina({
      filename: fileURLToPath(new URL('hashing.worker.mjs', import.meta.url)),
      minThreads: 0,
      maxThreads: queue.atOnce,
      idleTimeout: Infinity,
      recordTiming: false,
    });
  }

  /** All requests in progress have been answered by now. */
  async onApplicationShutdown(): Promise<void> {
    await this.threads.destroy();
  }

  /** Called before any other work of the request. @throws HashingOverloadedError if the queue is full for the client */
  requireRoom(client: HashingClient): void {
    this.queue.requireRoom(client);
  }

  /** @throws HashingOverloadedError */
  async hash(password: string, client: HashingClient = {}): Promise<string> {
    const job = { password: normalise(password), parameters: { ...this.parameters } };
    return this.queue.run(client, () => this.threads.run(job, { name: 'hash' }) as Promise<string>);
  }

  /**
   * Without a hash (unknown user), or with an unusable one, does the same work and returns false, so the time reveals
   * nothing (ASVS 6.3.8).
   * @throws HashingOverloadedError
   */
  async verify(
    passwordHash: string | undefined,
    password: string,
    client: HashingClient = {},
  ): Promise<boolean> {
    const stored = passwordHash === undefined ? undefined : this.read(passwordHash);
    const job = { password: normalise(password), stored: stored ?? this.unknownUsersHash };
    const matches = await this.queue.run(
      client,
      () => this.threads.run(job, { name: 'verify' }) as Promise<boolean>,
    );
    return matches && stored !== undefined;
  }

  /** Whether the hash is of another kind, or has other parameters, than new hashes. */
  isOutdated(passwordHash: string): boolean {
    return !passwordHash.startsWith(this.prefix);
  }

  /** @returns undefined if no password matches, such as for a hash that another program wrote and that costs too much */
  private read(passwordHash: string): StoredHash | undefined {
    if (passwordHash === NO_PASSWORD) return undefined;
    try {
      return readStoredHash(passwordHash);
    } catch (error) {
      this.logger.warn(`a stored password hash ${(error as Error).message}: its user cannot log in`);
      return undefined;
    }
  }
}

/** NFC, the one permitted change: keyboards compose the same letters differently. No trimming, no truncation. */
export function normalise(password: string): string {
  return password.normalize('NFC');
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}
