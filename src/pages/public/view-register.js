import { api } from './api.js';
import { find, findElement, onSubmit, reveal } from './dom.js';
import settings from './settings.js';
import { enter } from './view-login.js';

/** @param {HTMLElement} root */
export function showRegister(root) {
  const form = find(root, 'form', HTMLFormElement);
  const email = findElement(root, '[data-email]');
  if (settings.loginName === 'email') {
    findElement(root, '[data-username]').remove();
    find(email, 'input', HTMLInputElement).required = true;
  } else if (settings.mail) {
    find(email, 'span', HTMLElement).textContent = 'E-mail address (optional)';
  } else {
    email.remove();
  }
  onSubmit(form, async ({ username, email: address, password = '' }) => {
    const account = await api.register({
      ...(username === undefined ? {} : { username }),
      ...(address === undefined ? {} : { email: address }),
      password,
    });
    if (account === undefined || username === undefined) {
      form.hidden = true;
      reveal(findElement(root.isConnected ? root : document, '[data-sent]'));
      return;
    }
    await api.login({ username, password });
    enter();
  });
}
