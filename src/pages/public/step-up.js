import { addCodes, removeCodes } from './codes.js';
import { fieldsOf, find, findElement, hideErrors, onSubmit } from './dom.js';

/** @typedef {{ password: string, otp?: string, recovery_code?: string }} Proof */

const dialog = find(document, '#step-up', HTMLDialogElement);
const form = find(dialog, 'form', HTMLFormElement);

/** @type {{ prove: (proof: Proof) => Promise<void>, done: (isProved: boolean) => void } | undefined} */
let asked;

onSubmit(form, async () => {
  const { password = '', otp, recovery_code } = fieldsOf(form);
  const codes = otp !== undefined ? { otp } : recovery_code !== undefined ? { recovery_code } : {};
  await asked?.prove({ password, ...codes });
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
 * Asks the person for what a route requires, until it is proved or they cancel.
 * @param {{ factors: string[] }} challenge
 * @param {(proof: Proof) => Promise<void>} prove
 * @returns {Promise<boolean>} false: cancelled
 */
export async function askForProof({ factors }, prove) {
  hideErrors(dialog);
  if (factors.includes('otp') || factors.includes('recovery_code')) addCodes(dialog, factors);
  else removeCodes(dialog);
  dialog.returnValue = '';
  dialog.showModal();
  findElement(dialog, '[name="password"]').focus();
  return new Promise((done) => {
    asked = { prove, done };
  });
}

/** Takes the dialog away: there is no session left to prove anything for. */
export function cancelProof() {
  if (dialog.open) dialog.close('');
}
