import { Injectable, type Type } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { type Tx } from '../../database/index.js';
import { type Acr, reaches } from '../../tokens/proof.js';
import { type ErrorCode } from '../errors/error-codes.js';
import { type User } from '../../users/user-store.js';

/** A factor that was proved beside another proof. */
export interface ProvedFactor {
  /** The level of both together. */
  readonly acr: Acr;
  /** RFC 8176: the methods that it adds. */
  readonly amr: readonly string[];
  /**
   * Called in the transaction that opens the session or renews the proof, after the user's row was locked: uses the factor
   * up, so that it counts once.
   * @throws ApiError if it has been used meanwhile
   */
  use(tx: Tx): Promise<void>;
}

/** A kind of factor that a module adds: one-time codes, passkeys. */
export interface Factor {
  /** The members that it adds to the bodies of login, reauthentication and password change. All are optional. */
  readonly body?: Type<object>;
  /** The code, with status 401, that asks for it; for the OpenAPI document. */
  readonly refusal?: ErrorCode;
  /**
   * Verifies what a valid body presents, after the password and before the transaction: counting attempts and comparing
   * must outlive a transaction that is rolled back.
   * @returns undefined if the body has none of its members
   * @throws ApiError `invalid_credentials`; RateLimitedError
   */
  verify?(user: User, body: object, caller: Caller): Promise<ProvedFactor | undefined>;
  /** The strongest level that the user can prove with it; undefined if they have none of this kind. */
  levelOf(userId: string, tx?: Tx): Promise<Acr | undefined>;
  /** Removes all that the user has of this kind, for an operator. @returns whether there was anything */
  removeAll(tx: Tx, userId: string): Promise<boolean>;
}

/** What a request presents, by factor. Validated. */
export type PresentedFactors = ReadonlyMap<Factor, object>;

/** The kinds of factor that modules have added. */
@Injectable()
export class FactorRegistry {
  private readonly factors: Factor[] = [];

  /** Adds a kind of factor. Call it in `onModuleInit`. */
  add(factor: Factor): void {
    this.factors.push(factor);
  }

  get all(): readonly Factor[] {
    return this.factors;
  }

  /** The first factor that the request proves. @throws the error of the factor that refuses */
  async verify(user: User, presented: PresentedFactors, caller: Caller): Promise<ProvedFactor | undefined> {
    for (const [factor, body] of presented) {
      const proved = await factor.verify?.(user, body, caller);
      if (proved) return proved;
    }
    return undefined;
  }

  /** @returns whether the user had any */
  async removeAll(tx: Tx, userId: string): Promise<boolean> {
    let found = false;
    for (const factor of this.factors) found = (await factor.removeAll(tx, userId)) || found;
    return found;
  }

  /** The strongest level that the user can prove; what changes factors requires it. */
  async strongest(userId: string, tx?: Tx): Promise<Acr> {
    let strongest: Acr = 'pwd';
    for (const factor of this.factors) {
      const acr = await factor.levelOf(userId, tx);
      if (acr !== undefined && reaches(acr, strongest)) strongest = acr;
    }
    return strongest;
  }
}
