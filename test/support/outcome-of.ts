import { TokenError } from '../../src/auth/index.js';

/** `accepted`, or the code of the refusal. */
export async function outcomeOf(attempt: Promise<unknown>): Promise<string> {
  return attempt.then(
    () => 'accepted',
    (error: unknown) => {
      if (error instanceof TokenError) return error.code;
      throw error;
    },
  );
}
