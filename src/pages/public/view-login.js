import { api } from './api.js';
import { ApiError } from './client/index.js';
import { addCodes, focusCodes } from './codes.js';
import { find, findElement, hasPasskeys, onClick, onSubmit } from './dom.js';
import settings from './settings.js';

/** @param {HTMLElement} root */
export function showLogin(root) {
  const first = find(root, '[data-step="password"]', HTMLFormElement);
  const second = find(root, '[data-step="factor"]', HTMLFormElement);
  findElement(root, '[data-login-name]').textContent = loginName();
  findElement(root, '[data-register]').hidden = settings.registration === 'closed';
  findElement(root, '[data-forgot]').hidden = !settings.mail;
  let challenge = '';

  const passkey = find(first, '[data-passkey]', HTMLButtonElement);
  passkey.hidden = !hasPasskeys();
  onClick(passkey, first, async () => {
    await api.loginWithPasskey();
    enter();
  });
  onSubmit(first, async ({ username = '', password = '' }) => {
    try {
      await api.login({ username, password });
      enter();
    } catch (error) {
      if (!(error instanceof ApiError) || error.errorCode !== 'second_factor_required') throw error;
      challenge = String(error.body['challenge']);
      addCodes(second, /** @type {string[]} */ (error.body['factors']));
      swap(first, second);
      focusCodes(second);
    }
  });
  onSubmit(second, async ({ otp, recovery_code }) => {
    await api.loginWithFactor({ challenge, ...(otp ? { otp } : { recovery_code }) });
    enter();
  });
  find(second, '[data-back]', HTMLButtonElement).addEventListener('click', () => {
    swap(second, first);
    findElement(first, '[name="username"]').focus();
  });
}

/** The label of the field `username`. */
function loginName() {
  if (settings.loginName === 'email') return 'E-mail address';
  return settings.mail ? 'Username or e-mail address' : 'Username';
}

/** Returns to the link of a mail that required the login, or to the account. */
export function enter() {
  location.hash = location.pathname === '/' ? 'account' : '';
}

/** @param {HTMLFormElement} from @param {HTMLFormElement} to */
function swap(from, to) {
  from.hidden = true;
  to.hidden = false;
}
