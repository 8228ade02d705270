import { Injectable, Logger } from '@nestjs/common';
import { Database } from '../database/index.js';

/** Expired rows removed with each claim: the table stays as small as the fresh tokens alive. */
const SWEEP = 10;
/** Milliseconds for which a claim outlives its token: an instance whose clock is behind may still take that token. */
const LEEWAY = 60_000;

/** Fresh tokens that may be used once: the claim is a row, so it holds across routes, instances and restarts. */
@Injectable()
export class UsedTokens {
  private readonly logger = new Logger('SpentTokens');

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
    // The claim stands, whatever becomes of the sweep.
    await this.sweep(now).catch((error: unknown) =>
      this.logger.warn(`spent tokens were not swept: ${String(error)}`),
    );
    return numInsertedOrUpdatedRows === 1n;
  }

  async giveBack(jti: string): Promise<void> {
    await this.db.deleteFrom('spent_tokens').where('jti', '=', jti).execute();
  }

  private async sweep(now: number): Promise<void> {
    await this.db
      .deleteFrom('spent_tokens')
      .where('jti', 'in', (eb) =>
        eb
          .selectFrom('spent_tokens')
          .select('jti')
          .where('expires_at', '<', now - LEEWAY)
          .limit(SWEEP),
      )
      .execute();
  }
}
