import { Injectable } from '@nestjs/common';
import { Database } from '../database/index.js';

/** Fresh tokens that may be used once: the claim is a row, so it holds across routes, instances and restarts. */
@Injectable()
export class UsedTokens {
  constructor(private readonly db: Database) {}

  /**
   * Claims a token. Of N parallel claims exactly one returns true.
   * @param expiresAt the token's own expiry (milliseconds); the claim outlives it by the margin of `Purger`
   */
  async claim(jti: string, expiresAt: number): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.db
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
