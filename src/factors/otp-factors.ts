import { Injectable } from '@nestjs/common';
import { timingSafeEqual } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { type SeenUser } from '../auth/index.js';
import { Database, type Executor, type Tx } from '../database/index.js';
import { type OtpFactor } from './factors.table.js';
import { OtpSecrets } from './otp-secrets.js';
import { acceptedSteps, codeOf } from './totp.js';

/** How long a new authenticator waits to be confirmed. */
export const ENROLMENT_MS = 600_000;
/** With each authenticator, one more code is right at a time. */
export const MAX_AUTHENTICATORS = 5;

/** A right code. `use` checks that neither it nor a later one was used before. */
export interface MatchedCode {
  factor: OtpFactor;
  step: number;
}

/** The rows of `otp_factors`. */
@Injectable()
export class OtpFactors {
  constructor(
    private readonly db: Database,
    private readonly secrets: OtpSecrets,
  ) {}

  async listConfirmed(userId: string, db: Executor = this.db): Promise<OtpFactor[]> {
    return db
      .selectFrom('otp_factors')
      .selectAll()
      .where('user_id', '=', userId)
      .where('confirmed_at', 'is not', null)
      .orderBy('id')
      .execute();
  }

  /** Begins an enrolment. It replaces one that is not confirmed yet. */
  async begin(
    tx: Tx,
    { id: userId, credentialVersion }: SeenUser,
    name: string,
    now: number,
  ): Promise<OtpFactor> {
    await tx
      .deleteFrom('otp_factors')
      .where('user_id', '=', userId)
      .where('confirmed_at', 'is', null)
      .execute();
    return tx
      .insertInto('otp_factors')
      .values({
        id: uuidv7(),
        user_id: userId,
        name,
        key_id: this.secrets.currentKeyId(),
        credential_version: credentialVersion,
        last_step: 0,
        created_at: now,
        confirmed_at: null,
        last_used_at: null,
      })
      .returningAll()
      .executeTakeFirstOrThrow();
  }

  /** An enrolment that can still be confirmed: not too old, and the credentials have not changed since. */
  async findPending(
    { id: userId, credentialVersion }: SeenUser,
    id: string,
    now: number,
  ): Promise<OtpFactor | undefined> {
    return this.db
      .selectFrom('otp_factors')
      .selectAll()
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .where('credential_version', '=', credentialVersion)
      .where('confirmed_at', 'is', null)
      .where('created_at', '>', now - ENROLMENT_MS)
      .executeTakeFirst();
  }

  /** Compares a code with those of some authenticators. Writes nothing: `use` decides. */
  match(factors: readonly OtpFactor[], code: string, now: number): MatchedCode | undefined {
    const given = Buffer.from(code);
    for (const factor of factors) {
      const secret = this.secrets.of(factor);
      const step = acceptedSteps(now).find((each) => {
        if (!secret || each <= factor.last_step) return false;
        const right = Buffer.from(codeOf(secret, each));
        return right.length === given.length && timingSafeEqual(right, given);
      });
      if (step !== undefined) return { factor, step };
    }
    return undefined;
  }

  /** Uses a code up, by one conditional UPDATE. @returns false if it, or a later one, has been used */
  async use(tx: Tx, { factor, step }: MatchedCode, now: number): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('otp_factors')
      .set({ last_step: step, last_used_at: now })
      .where('id', '=', factor.id)
      .where('confirmed_at', 'is not', null)
      .where('last_step', '<', step)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** Confirms an enrolment by a code, and uses the code up. @returns false if it was confirmed or replaced meanwhile */
  async confirm(tx: Tx, { factor, step }: MatchedCode, now: number): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('otp_factors')
      .set({ confirmed_at: now, last_step: step })
      .where('id', '=', factor.id)
      .where('confirmed_at', 'is', null)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  async remove(tx: Tx, userId: string, id: string): Promise<boolean> {
    const { numDeletedRows } = await tx
      .deleteFrom('otp_factors')
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .where('confirmed_at', 'is not', null)
      .executeTakeFirst();
    return numDeletedRows === 1n;
  }

  async removeAll(tx: Tx, userId: string): Promise<boolean> {
    const { numDeletedRows } = await tx
      .deleteFrom('otp_factors')
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }
}
