import { Injectable } from '@nestjs/common';
import { Database, type Executor } from '../database/index.js';

/** Tokens that may be used once: the claim is a row, so it holds across routes, instances and restarts. */
@Injectable()
export class UsedTokens {
  constructor(private readonly db: Database) {}

  /**
   * Claims a token. Of N parallel claims exactly one returns true.
   * @param expiresAt the token's own expiry (milliseconds); the claim outlives it by the margin of `Purger`
   * @param db the transaction of what the token is used for, so that a failure gives it back
   */
  async claim(jti: string, expiresAt: number, db: Executor = this.db): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('spent_tokens')
      .values({ jti, expires_at: expiresAt })
      .onConflict((conflict) => conflict.column('jti').doNothing())
      .executeTakeFirstOrThrow();
    return numInsertedOrUpdatedRows === 1n;
  }

  async giveBack(jti: string): Promise<void> {
    await this.db.deleteFrom('spent_tokens').where('jti', '=', jti).execute();
  }
}
