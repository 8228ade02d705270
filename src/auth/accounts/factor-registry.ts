import { Injectable, type Type } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { type Tx } from '../../database/index.js';
import { type Acr, reaches } from '../../tokens/proof.js';
import { TokenError } from '../../tokens/token.errors.js';
import { type ErrorCode } from '../errors/error-codes.js';
import { AuthOptions } from '../options/auth-options.js';
import { type Principal } from '../request/principal.js';
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

/** What a reauthentication may present instead of a password. */
export interface PasswordReplacement {
  /** The members of the body. */
  readonly body: Type<object>;
  /**
   * Verifies what a valid body presents, after the refresh token and before the transaction.
   * @returns the user of the session, as they were when the proof was verified
   * @throws ApiError `invalid_credentials`; RateLimitedError
   */
  verify(who: Principal, body: object, caller: Caller): Promise<{ user: User; factor: ProvedFactor }>;
}

/** One factor of a user, for lists. */
export interface FactorSummary {
  id: string;
  name: string;
  created_at: string;
  last_used_at: string | null;
}

/** @param factor a row; its times are milliseconds */
export function toFactorSummary({
  id,
  name,
  created_at,
  last_used_at,
}: {
  id: string;
  name: string;
  created_at: number;
  last_used_at: number | null;
}): FactorSummary {
  return {
    id,
    name,
    created_at: new Date(created_at).toISOString(),
    last_used_at: last_used_at === null ? null : new Date(last_used_at).toISOString(),
  };
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
  /** Its name in `factors` of `second_factor_required`, if it may replace the required factor. */
  readonly kind?: string;
  /** Lists the user's factors of this kind. */
  list?(userId: string, tx?: Tx): Promise<FactorSummary[]>;
  /** If it may be presented at reauthentication instead of the password. */
  readonly insteadOfPassword?: PasswordReplacement;
  /** The strongest level that the user can prove with it; undefined if they have none of this kind. */
  levelOf(userId: string, tx?: Tx): Promise<Acr | undefined>;
  /** Removes all that the user has of this kind, for an operator. @returns whether there was anything */
  removeAll(tx: Tx, userId: string): Promise<boolean>;
}

/** What a request presents, by factor. Validated. */
export type PresentedFactors = ReadonlyMap<Factor, object>;

/** What a request presents instead of a password. Validated. */
export interface PresentedReplacement {
  readonly replacement: PasswordReplacement;
  readonly body: object;
}

/** The kinds of factor that modules have added. */
@Injectable()
export class FactorRegistry {
  private readonly factors: Factor[] = [];

  constructor(private readonly options: AuthOptions) {}

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

  /** What the user has of one kind; empty if no module adds it. */
  async list(kind: string, userId: string, tx?: Tx): Promise<FactorSummary[]> {
    const factors = this.factors.filter((each) => each.kind === kind);
    const lists = await Promise.all(factors.map(async (each) => each.list?.(userId, tx)));
    return lists.flatMap((list) => list ?? []);
  }

  /** @returns whether the user had any */
  async removeAll(tx: Tx, userId: string): Promise<boolean> {
    let found = false;
    for (const factor of this.factors) found = (await factor.removeAll(tx, userId)) || found;
    return found;
  }

  /** The strongest level that the user can prove. Changes of factors require it. */
  async strongest(userId: string, tx?: Tx): Promise<Acr> {
    let strongest: Acr = 'pwd';
    for (const factor of this.factors) {
      const acr = await factor.levelOf(userId, tx);
      if (acr !== undefined && reaches(acr, strongest)) strongest = acr;
    }
    return strongest;
  }

  /** For changes of factors. @throws TokenError `fresh_token_required` that names the level */
  async requireStrongest({ userId, acr }: Principal, tx: Tx): Promise<void> {
    const strongest = await this.strongest(userId, tx);
    if (acr !== null && reaches(acr, strongest)) return;
    const required = { acr: strongest, maxAge: this.options.freshMaxAge };
    throw new TokenError(
      'fresh_token_required',
      `acr ${acr}, the strongest of the user is ${strongest}`,
      required,
    );
  }
}
