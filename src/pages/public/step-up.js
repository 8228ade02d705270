import { addCodes, removeCodes } from './codes.js';
import { fieldsOf, find, findElement, hasPasskeys, hideErrors, onClick, onSubmit } from './dom.js';

/** @typedef {{ password: string, otp?: string, recovery_code?: string }} Proof */

const dialog = find(document, '#step-up', HTMLDialogElement);
const form = find(dialog, 'form', HTMLFormElement);

/** @typedef {{ withPassword: (proof: Proof) => Promise<void>, withPasskey: () => Promise<void> }} Ways */

const passkey = find(dialog, '[data-passkey]', HTMLButtonElement);
/** @type {{ ways: Ways, done: (isProved: boolean) => void } | undefined} */
let asked;

onSubmit(form, async () => {
  const { password = '', otp, recovery_code } = fieldsOf(form);
  const codes = otp !== undefined ? { otp } : recovery_code !== undefined ? { recovery_code } : {};
  await asked?.ways.withPassword({ password, ...codes });
  dialog.close('proved');
});
onClick(passkey, dialog, async () => {
  await asked?.ways.withPasskey();
  dialog.close('proved');
});
find(dialog, '[data-cancel]', HTMLButtonElement).addEventListener('click', () => dialog.close(''));
// Also after Escape.
dialog.addEventListener('close', () => {
  asked?.done(dialog.returnValue === 'proved');
  asked = undefined;
  form.reset();
});

/**
 * Asks the person for the proof that a route requires, until it succeeds or they cancel.
 * @param {{ factors: string[] }} challenge
 * @param {Ways} ways
 * @returns {Promise<boolean>} false: cancelled
 */
export async function askForProof({ factors }, ways) {
  hideErrors(dialog);
  if (factors.includes('otp') || factors.includes('recovery_code')) addCodes(dialog, factors);
  else removeCodes(dialog);
  passkey.hidden = !factors.includes('passkey') || !hasPasskeys();
  dialog.returnValue = '';
  dialog.showModal();
  findElement(dialog, '[name="password"]').focus();
  return new Promise((done) => {
    asked = { ways, done };
  });
}

/** Closes the dialog, because the session has ended. */
export function cancelProof() {
  if (dialog.open) dialog.close('');
}
