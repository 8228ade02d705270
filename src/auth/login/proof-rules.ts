import { Injectable } from '@nestjs/common';
import { type Tx } from '../../database/index.js';
import { type User } from '../../users/user-store.js';

/** How the user just proved who they are. */
export interface Proof {
  /** RFC 8176: `['pwd']` for a password. */
  amr: readonly string[];
}

/** A condition on a proof, beside the proof itself: a second factor, accepted terms, office hours. */
export interface ProofRule {
  /**
   * Called in the transaction that opens the session or renews the proof; a refusal undoes it.
   * @throws ApiError to refuse
   */
  check(user: User, proof: Proof, tx: Tx): void | Promise<void>;
}

/**
 * The conditions that modules have added. Checked in the one place that opens sessions and the one that renews proofs, so
 * that no way to log in can bypass them.
 */
@Injectable()
export class ProofRules {
  private readonly rules: ProofRule[] = [];

  /** Adds a rule. Call it in `onModuleInit`. */
  add(rule: ProofRule): void {
    this.rules.push(rule);
  }

  /** Checks all rules. @throws the error of the first rule that refuses */
  async check(user: User, proof: Proof, tx: Tx): Promise<void> {
    for (const rule of this.rules) await rule.check(user, proof, tx);
  }
}
