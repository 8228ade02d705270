import { Injectable } from '@nestjs/common';
import { createHash, randomBytes } from 'node:crypto';
import { Database, type Executor, type Tx } from '../database/index.js';
import { base32 } from './totp.js';

const CODES = 10;
/** 80 bits: no limit is needed against guessing them. */
const CODE_BYTES = 10;

/** One-time codes for a user who has lost the authenticator. Hashed at rest; each is deleted when it is used. */
@Injectable()
export class RecoveryCodes {
  constructor(private readonly db: Database) {}

  /** Makes ten new codes; all earlier ones are void. @returns the codes; only their hashes are stored */
  async renew(tx: Tx, userId: string): Promise<string[]> {
    await this.removeAll(tx, userId);
    const codes = Array.from({ length: CODES }, () => base32(randomBytes(CODE_BYTES)));
    const rows = codes.map((code) => ({ user_id: userId, code_hash: hashOf(code) }));
    await tx.insertInto('recovery_codes').values(rows).execute();
    return codes.map((code) => (code.match(/.{4}/g) ?? []).join('-'));
  }

  async count(userId: string, db: Executor = this.db): Promise<number> {
    const { count } = await db
      .selectFrom('recovery_codes')
      .select((eb) => eb.fn.countAll<string | number>().as('count'))
      .where('user_id', '=', userId)
      .executeTakeFirstOrThrow();
    return Number(count);
  }

  /** @param code without separators, in capitals */
  async exists(userId: string, code: string): Promise<boolean> {
    const row = await this.db
      .selectFrom('recovery_codes')
      .select('user_id')
      .where('user_id', '=', userId)
      .where('code_hash', '=', hashOf(code))
      .executeTakeFirst();
    return row !== undefined;
  }

  /** @returns false if it has been used */
  async use(tx: Tx, userId: string, code: string): Promise<boolean> {
    const { numDeletedRows } = await tx
      .deleteFrom('recovery_codes')
      .where('user_id', '=', userId)
      .where('code_hash', '=', hashOf(code))
      .executeTakeFirst();
    return numDeletedRows === 1n;
  }

  async removeAll(tx: Tx, userId: string): Promise<void> {
    await tx.deleteFrom('recovery_codes').where('user_id', '=', userId).execute();
  }
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('base64url');
}
