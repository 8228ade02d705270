import { type ExpressionBuilder, sql } from 'kysely';
import { type Tables } from '../database/index.js';
import { type Proof, weakerThan } from '../tokens/proof.js';

type TimeColumn = 'access_until' | 'expires_at';

/*
 * Numbers are passed as `eb.val()`: Kysely would write one after THEN or ELSE into the text of the statement, and each text
 * is prepared anew.
 */

/** PostgreSQL has `least()`, SQLite has `min()` with two arguments; both have CASE. */
export function atMost(eb: ExpressionBuilder<Tables, 'sessions'>, column: TimeColumn, value: number) {
  return eb.case().when(column, '<', value).then(eb.ref(column)).else(eb.val(value)).end();
}

export function atLeast(eb: ExpressionBuilder<Tables, 'sessions'>, column: TimeColumn, value: number) {
  return eb.case().when(column, '>', value).then(eb.ref(column)).else(eb.val(value)).end();
}

/** The presented generation if this proof is stronger than the row's, else null. */
export function ifRaised(eb: ExpressionBuilder<Tables, 'sessions'>, { acr }: Proof, generation: number) {
  const weaker = weakerThan(acr);
  const raises = weaker.length === 0 ? sql<boolean>`1 = 0` : eb('acr', 'in', weaker);
  // PostgreSQL would take the parameter of a CASE without another type for a text.
  return eb
    .case()
    .when(raises)
    .then(eb.cast<number>(eb.val(generation), 'integer'))
    .else(null)
    .end();
}

/** The three columns of a proof change together, and only for one that is not weaker than the row's. */
export function columnsOf(eb: ExpressionBuilder<Tables, 'sessions'>, proof: Proof) {
  const isNotStronger = eb('acr', 'in', [...weakerThan(proof.acr), proof.acr]);
  return {
    acr: eb.case().when(isNotStronger).then(proof.acr).else(eb.ref('acr')).end(),
    auth_time: eb.case().when(isNotStronger).then(eb.val(proof.at)).else(eb.ref('auth_time')).end(),
    amr: eb.case().when(isNotStronger).then(proof.amr.join(' ')).else(eb.ref('amr')).end(),
  };
}
