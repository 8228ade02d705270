import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { AuthOptions, Clock } from '../auth/index.js';
import { Database } from '../database/index.js';
import { changeKeyFile } from '../keys/key-file-lock.js';
import { readKeyFile } from '../keys/key-file.js';
import { KeyRing, KeyRingError } from '../keys/key-ring.js';
import { rotate } from '../keys/key-rotation.js';
import { type OtpFactor } from './factors.table.js';

/** RFC 4226 §4: 160 bits. */
const SECRET_BYTES = 20;

/** Derives the secrets of authenticators from a key of the key file and their row: the database holds none of them. */
@Injectable()
export class OtpSecrets implements OnApplicationBootstrap {
  private readonly logger = new Logger('Factors');

  constructor(
    private readonly keys: KeyRing,
    private readonly clock: Clock,
    private readonly db: Database,
    private readonly options: AuthOptions,
  ) {}

  /**
   * Key files from before second factors have no key for them. Outside production it is added here.
   * @throws KeyRingError that says how to add it
   */
  async onApplicationBootstrap(): Promise<void> {
    const { keys: source } = this.options;
    const now = this.clock.now();
    if (!this.hasKey(now) && 'file' in source && source.create) {
      changeKeyFile(source.file, now, (set) => rotate(set, 'factor', now));
      this.keys.replace(readKeyFile(source.file), now);
      this.logger.log(`added a key for second factors to ${source.file}`);
    }
    this.currentKeyId();
    await this.warnOfMissingKeys();
  }

  /** The key for a new authenticator. @throws KeyRingError */
  currentKeyId(): string {
    return this.keys.signingKey('factor', this.clock.now()).kid;
  }

  /** @returns undefined if the key has been removed: no code is right any more */
  of({ id, user_id, key_id }: Pick<OtpFactor, 'id' | 'user_id' | 'key_id'>): Buffer | undefined {
    const key = this.keys.find(key_id, this.clock.now());
    if (key?.kind !== 'factor' || !key.signWith) return undefined;
    const mac = createHmac('sha256', key.signWith).update(`freshgate otp ${user_id} ${id}`);
    return mac.digest().subarray(0, SECRET_BYTES);
  }

  private hasKey(now: number): boolean {
    try {
      return this.keys.signingKey('factor', now) !== undefined;
    } catch (error) {
      if (error instanceof KeyRingError) return false;
      throw error;
    }
  }

  private async warnOfMissingKeys(): Promise<void> {
    const rows = await this.db.selectFrom('otp_factors').select('key_id').distinct().execute();
    const missing = rows
      .map(({ key_id }) => key_id)
      .filter((kid) => this.keys.find(kid, this.clock.now()) === undefined);
    if (missing.length > 0)
      this.logger.error(
        `the key file lacks ${missing.join(', ')}: the codes of authenticators that were enrolled with it are refused; restore the key from a backup`,
      );
  }
}
