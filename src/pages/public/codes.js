import { copyOf, find, findElement } from './dom.js';

/**
 * Fields for a second factor: the code of an authenticator, or a recovery code.
 * @param {ParentNode} root holds a `.codes`
 * @param {string[]} factors those that the user has
 */
export function addCodes(root, factors) {
  const place = findElement(root, '.codes');
  place.replaceChildren(copyOf('codes'));
  place.hidden = false;
  const toggle = find(place, '[data-toggle]', HTMLButtonElement);
  toggle.hidden = !(factors.includes('otp') && factors.includes('recovery_code'));
  let isRecovery = !factors.includes('otp');
  const show = () => {
    showField(place, 'otp', !isRecovery);
    showField(place, 'recovery_code', isRecovery);
    toggle.textContent = isRecovery ? 'Use your authenticator instead' : 'Use a recovery code instead';
  };
  show();
  toggle.addEventListener('click', () => {
    isRecovery = !isRecovery;
    show();
    focusCodes(root);
  });
}

/** @param {ParentNode} root */
export function focusCodes(root) {
  find(root, '.codes input:enabled', HTMLInputElement).focus();
}

/** @param {ParentNode} root */
export function removeCodes(root) {
  const place = findElement(root, '.codes');
  place.replaceChildren();
  place.hidden = true;
}

/** A disabled field is not sent. @param {ParentNode} place @param {string} name @param {boolean} isShown */
function showField(place, name, isShown) {
  const field = findElement(place, `[data-code="${name}"]`);
  field.hidden = !isShown;
  find(field, 'input', HTMLInputElement).disabled = !isShown;
}
