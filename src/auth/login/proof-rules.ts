import { Injectable } from '@nestjs/common';
import { type Tx } from '../../database/index.js';
import { type User } from '../../users/user-store.js';

/** What just proved who a user is. */
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
 * Every condition that modules have added. Asked in the one place where sessions are opened and the one where proofs are
 * renewed, whichever way the user came in, so that no way in can go around it.
 */
@Injectable()
export class ProofRules {
  private readonly rules: ProofRule[] = [];

  /** For `onModuleInit` of a module that brings a rule. */
  add(rule: ProofRule): void {
    this.rules.push(rule);
  }

  /** @throws what the first rule that refuses throws */
  async check(user: User, proof: Proof, tx: Tx): Promise<void> {
    for (const rule of this.rules) await rule.check(user, proof, tx);
  }
}
