import { api } from './api.js';
import { ApiError } from './client/index.js';
import { addCodes, focusCodes, removeCodes } from './codes.js';
import { find, findElement, onSubmit, reveal, say, shownTime } from './dom.js';
import settings from './settings.js';

/** @param {HTMLElement} root @param {import('./api.js').Account | null} account */
export function showAccount(root, account) {
  if (!account) return;
  const name = line(root, '[data-username]', account.username);
  const address = line(root, '[data-email]', account.email ?? (settings.mail ? 'none' : null));
  line(root, '[data-created]', shownTime(account.created_at));
  rename(findElement(root, '[data-rename]'), account.username, name);
  changeAddress(findElement(root, '[data-address]'), address);
  changePassword(findElement(root, '[data-password]'), account.username ?? account.email ?? '');
}

/** @param {ParentNode} root @param {string} selector @param {string | null} text */
function line(root, selector, text) {
  const row = findElement(root, selector);
  row.hidden = text === null;
  const value = findElement(row, 'dd');
  value.textContent = text;
  return value;
}

/** @param {HTMLElement} section @param {string | null} username @param {HTMLElement} shown */
function rename(section, username, shown) {
  section.hidden = username === null;
  const form = find(section, 'form', HTMLFormElement);
  onSubmit(form, async ({ username: wanted = '' }) => {
    const account = await api.rename(wanted);
    shown.textContent = account.username;
    form.reset();
    say(`You are now called ${account.username}.`);
  });
}

/** @param {HTMLElement} section @param {HTMLElement} shown */
function changeAddress(section, shown) {
  section.hidden = !settings.mail;
  const change = find(section, '[data-change]', HTMLFormElement);
  const verify = find(section, '[data-verify]', HTMLFormElement);
  const sent = findElement(verify, '[data-sent]');
  onSubmit(change, async ({ email = '' }) => {
    await api.changeEmail(email);
    sent.textContent = `A mail is on its way to ${email}. Open its link, or enter its code here.`;
    verify.hidden = false;
    reveal(sent);
  });
  onSubmit(verify, async ({ code = '' }) => {
    await api.verifyEmail({ code });
    shown.textContent = (await api.profile()).email ?? '';
    verify.hidden = true;
    change.reset();
    say('Your address is proved.');
  });
}

/** @param {HTMLElement} section @param {string} username for the browser's store of passwords */
function changePassword(section, username) {
  const form = find(section, 'form', HTMLFormElement);
  find(form, '[name="account"]', HTMLInputElement).value = username;
  onSubmit(form, async ({ current_password = '', new_password = '', otp, recovery_code }) => {
    const codes = otp !== undefined ? { otp } : recovery_code !== undefined ? { recovery_code } : {};
    try {
      await api.changePassword({ current_password, new_password, ...codes });
    } catch (error) {
      if (!(error instanceof ApiError) || error.errorCode !== 'second_factor_required') throw error;
      addCodes(form, ['otp', 'recovery_code']);
      focusCodes(form);
      return;
    }
    form.reset();
    removeCodes(form);
    say('Your password is changed.');
  });
}
