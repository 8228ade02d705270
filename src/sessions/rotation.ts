import { type Acr, reaches } from '../tokens/proof.js';
import { type Session } from './sessions.table.js';

/** A verified, unexpired refresh token with its request. */
export interface Presented {
  generation: number;
  /** SHA-256 of the request's `Idempotency-Key`, or null. */
  keyHash: string | null;
  /** Milliseconds; the application's clock. */
  now: number;
  /** The proof that comes with it. Absent for a refresh. */
  proof?: { readonly acr: Acr };
}

/**
 * The verdict of the session row on a presented generation:
 * - `rotate`: it is live; it may be advanced.
 * - `key_reused`: it is live, but the key is the one that made it: the client mixed up its keys.
 * - `replay`: one behind, with the key that made the live one: the answer was lost, give it again.
 * - `concurrent`: one behind, no keys, within the grace: another tab won, give it the same successor.
 * - `superseded`: a proof presented with this token or a later one raised the session's level. Only a proof of that level
 *   gets the live generation: the token alone must not gain a level that it never proved. Nothing is revoked.
 * - `reuse`: any other generation behind: two parties hold the session.
 * - `rolled_back`: ahead of the row: the database was restored from a backup.
 * - `revoked`: the session is revoked, expired or unknown.
 */
export type Verdict =
  'rotate' | 'key_reused' | 'replay' | 'concurrent' | 'superseded' | 'reuse' | 'rolled_back' | 'revoked';

/** Milliseconds by which the clocks of two instances may differ. */
const CLOCK_TOLERANCE_MS = 2_000;

/** Decides about a refresh token. A pure function, so that tests can compare it with a model. */
export function classify(
  session:
    | Pick<
        Session,
        | 'generation'
        | 'rotated_at'
        | 'rotation_key_hash'
        | 'raised_from'
        | 'acr'
        | 'expires_at'
        | 'revoked_at'
      >
    | undefined,
  presented: Presented,
  /** Milliseconds. */
  grace: number,
): Verdict {
  if (!session || session.revoked_at !== null || session.expires_at <= presented.now) return 'revoked';
  const behind = session.generation - presented.generation;
  if (behind < 0) return 'rolled_back';
  const sameKey = presented.keyHash !== null && presented.keyHash === session.rotation_key_hash;
  if (behind === 0) return sameKey ? 'key_reused' : 'rotate';
  const raised = session.raised_from !== null && presented.generation >= session.raised_from;
  // Also for a value that is not a number: it must not pass as one generation behind.
  if (!raised && behind !== 1) return 'reuse';
  const proves = presented.proof !== undefined && reaches(presented.proof.acr, session.acr);
  if (raised && !(proves && presented.generation === session.raised_from)) return 'superseded';
  if (sameKey) return 'replay';
  const keyless = presented.keyHash === null && session.rotation_key_hash === null;
  const age = presented.now - session.rotated_at;
  if (keyless && age >= -CLOCK_TOLERANCE_MS && age <= grace) return 'concurrent';
  return raised ? 'superseded' : 'reuse';
}
