import { KeyRingError } from '../../src/keys/key-ring.js';

/** The message with which a key ring or a command on keys refuses; `accepted` if it does not. */
export function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof KeyRingError) return error.message;
    throw error;
  }
  return 'accepted';
}
