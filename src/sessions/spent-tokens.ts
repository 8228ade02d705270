import { Injectable } from '@nestjs/common';
import { Database } from '../database/index.js';

/** Expired rows removed with each claim: the table stays as small as the fresh tokens alive. */
const SWEEP = 10;

/** Fresh tokens that may be used once: the claim is a row, so it holds across routes, instances and restarts. */
@Injectable()
export class SpentTokens {
  constructor(private readonly db: Database) {}

  /**
   * Of N parallel claims of one token exactly one is granted. Times in milliseconds; `expiresAt` is the token's
   * own expiry, until which the claim is kept.
   */
  async claim(jti: string, expiresAt: number, now: number): Promise<boolean> {
    const { numInsertedOrUpdatedRows } = await this.db
      .insertInto('spent_tokens')
      .values({ jti, expires_at: expiresAt })
      .onConflict((conflict) => conflict.column('jti').doNothing())
      .executeTakeFirstOrThrow();
    await this.sweep(now);
    return numInsertedOrUpdatedRows === 1n;
  }

  async giveBack(jti: string): Promise<void> {
    await this.db.deleteFrom('spent_tokens').where('jti', '=', jti).execute();
  }

  private async sweep(now: number): Promise<void> {
    await this.db
      .deleteFrom('spent_tokens')
      .where('jti', 'in', (eb) =>
        eb.selectFrom('spent_tokens').select('jti').where('expires_at', '<', now).limit(SWEEP),
      )
      .execute();
  }
}
