import { api } from './api.js';
import { find, findElement, onSubmit, reveal } from './dom.js';
import settings from './settings.js';

/** @param {HTMLElement} root */
export function showForgot(root) {
  const form = find(root, 'form', HTMLFormElement);
  const sent = findElement(root, '[data-sent]');
  if (settings.loginName === 'email') findElement(root, '[data-login-name]').textContent = 'E-mail address';
  onSubmit(form, async ({ username = '' }) => {
    await api.forgotPassword(username);
    form.hidden = true;
    reveal(sent);
  });
}
