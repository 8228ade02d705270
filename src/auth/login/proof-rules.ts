import { Injectable } from '@nestjs/common';
import { type Tx } from '../../database/index.js';
import { type SessionLives } from '../../sessions/sessions.repository.js';
import { type Proof, type ProofMethod } from '../../tokens/proof.js';
import { type User } from '../../users/user-store.js';
import { type ProvedFactor } from '../accounts/factor-registry.js';

/** A condition on a proof, beside the proof itself: a second factor, accepted terms, office hours. */
export interface ProofRule {
  /**
   * Called in the transaction that opens the session or renews the proof; a refusal undoes it.
   * @param login the lifetimes of the session that a login is to open; absent where the proof is for something else
   * @throws ApiError to refuse
   */
  check(user: User, proof: Proof, tx: Tx, login?: SessionLives): void | Promise<void>;
}

/** What a user has proved, before the transaction in which it counts. */
export interface ProofAttempt {
  readonly method: ProofMethod;
  /** Proved in the same request. */
  readonly factor?: ProvedFactor | undefined;
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

  /** Uses up the factor and checks all rules. @throws the error of the factor, or of the first rule that refuses */
  async prove(
    user: User,
    { method, factor }: ProofAttempt,
    at: number,
    tx: Tx,
    login?: SessionLives,
  ): Promise<Proof> {
    await factor?.use(tx);
    const proof = factor ? { acr: factor.acr, amr: [...method.amr, ...factor.amr], at } : { ...method, at };
    for (const rule of this.rules) await rule.check(user, proof, tx, login);
    return proof;
  }
}
