import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { createHmac } from 'node:crypto';
import { ApiError, AuthOptions, Clock } from '../auth/index.js';
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

  async onApplicationBootstrap(): Promise<void> {
    if (!this.hasKey() && !this.mayAddKey())
      this.logger.warn(
        'no second factor can be enrolled: there is no key with "token_use": "factor"; ' +
          '`npm run keys -- rotate --kind factor` adds it',
      );
    await this.warnOfMissingKeys();
  }

  /**
   * The key for a new authenticator. A key file of an earlier version gets this key with the first enrolment, not at the
   * start: until then, servers of the previous version can be restarted with the same file.
   * @throws ApiError 404 `not_found` if there is no key and the server may not change the file
   */
  currentKeyId(): string {
    if (!this.hasKey()) this.addKey();
    return this.keys.signingKey('factor', this.clock.now()).kid;
  }

  /** @returns undefined if the key has been removed: then every code is wrong */
  of({ id, user_id, key_id }: Pick<OtpFactor, 'id' | 'user_id' | 'key_id'>): Buffer | undefined {
    const key = this.keys.find(key_id, this.clock.now());
    if (key?.kind !== 'factor' || !key.signWith) return undefined;
    const mac = createHmac('sha256', key.signWith).update(`freshgate otp ${user_id} ${id}`);
    return mac.digest().subarray(0, SECRET_BYTES);
  }

  private hasKey(): boolean {
    try {
      return this.keys.signingKey('factor', this.clock.now()) !== undefined;
    } catch (error) {
      if (error instanceof KeyRingError) return false;
      throw error;
    }
  }

  private mayAddKey(): boolean {
    const { keys } = this.options;
    return 'file' in keys && (keys.create ?? false);
  }

  private addKey(): void {
    const { keys } = this.options;
    if (!('file' in keys) || !keys.create)
      throw new ApiError(404, 'not_found', 'This server has no key for second factors');
    const now = this.clock.now();
    changeKeyFile(keys.file, now, (set) => rotate(set, 'factor', now));
    this.keys.replace(readKeyFile(keys.file), now);
    this.logger.log(`added a key for second factors to ${keys.file}`);
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
