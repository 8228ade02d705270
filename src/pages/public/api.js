import { ApiError, createClient, SignedOutError } from './client/index.js';
import settings from './settings.js';
import { askForProof } from './step-up.js';

/** Set by `app.js`: what happens when the session is over. @type {{ onSignedOut: (reason: string) => void }} */
export const events = { onSignedOut: () => {} };

export const api = createClient({
  baseUrl: location.origin,
  mode: settings.mode,
  onStepUp: (challenge) =>
    askForProof(challenge, {
      withPassword: (proof) => api.reauthenticate(proof),
      withPasskey: () => api.reauthenticateWithPasskey(),
    }),
  onSignedOut: (reason) => events.onSignedOut(reason),
});

/** @typedef {NonNullable<Awaited<ReturnType<typeof whoIsIn>>>} Account */

/** The account that is logged in, or null. */
export async function whoIsIn() {
  try {
    return await api.profile();
  } catch (error) {
    if (error instanceof SignedOutError || (error instanceof ApiError && error.status === 401)) return null;
    throw error;
  }
}
