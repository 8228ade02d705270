import { api } from './api.js';
import { find, findElement, onSubmit, reveal } from './dom.js';

/**
 * The pages of links in mails. Opening one changes nothing, because mail scanners open links too.
 * @type {Record<string, { title: string, text: string, button: string, done: string, needsLogin?: true, newPassword?: true,
 *   act: (token: string, fields: Record<string, string>) => Promise<unknown> }>}
 */
export const LINKS = {
  '/register/confirm': {
    title: 'Finish your registration',
    text: 'Your address is proved, and your account created, when you confirm.',
    button: 'Create the account',
    done: 'Your account is ready.',
    act: (token) => api.confirmRegistration(token),
  },
  '/email/verify': {
    title: 'Prove your e-mail address',
    text: 'The address of this mail becomes the address of your account.',
    button: 'Prove the address',
    done: 'Your address is proved.',
    needsLogin: true,
    act: (token) => api.verifyEmail({ token }),
  },
  '/email/undo': {
    title: 'Undo the change of address',
    text: 'Your earlier address comes back, and you are logged out on every device. If somebody else made the change, also change your password.',
    button: 'Undo the change',
    done: 'Your earlier address is back.',
    act: (token) => api.undoEmailChange(token),
  },
  '/password/reset': {
    title: 'Set a new password',
    text: 'You are logged out on every device.',
    button: 'Set the password',
    done: 'Your password is changed. Log in with the new one.',
    newPassword: true,
    act: (token, { new_password = '' }) => api.resetPassword({ token, new_password }),
  },
};

/** @param {HTMLElement} root @param {import('./api.js').Account | null} account */
export function showLink(root, account) {
  const link = LINKS[location.pathname];
  if (!link) throw new TypeError(`${location.pathname} is not the page of a link`);
  const form = find(root, 'form', HTMLFormElement);
  const done = findElement(root, '[data-done]');
  const next = find(root, '[data-next]', HTMLAnchorElement);
  const token = new URLSearchParams(location.search).get('token') ?? '';
  findElement(root, 'h1').textContent = link.title;
  findElement(root, '[data-text]').textContent = link.text;
  find(form, 'button', HTMLButtonElement).textContent = link.button;
  done.textContent = link.done;
  const field = findElement(root, '[data-new-password]');
  field.hidden = !link.newPassword;
  find(field, 'input', HTMLInputElement).disabled = !link.newPassword;
  if (link.needsLogin && !account) {
    form.hidden = true;
    const text = document.createElement('p');
    text.textContent = 'Log in to your account first; this page comes back by itself.';
    form.before(text);
    next.textContent = 'Log in';
    // Of this address, so that the token is still there after the login.
    next.href = '#login';
    return;
  }
  if (account) {
    next.textContent = 'Go to your account';
    next.href = '/#account';
  }
  onSubmit(form, async (fields) => {
    await link.act(token, fields);
    // The token is used up; it need not stay in the address.
    history.replaceState(null, '', location.pathname);
    form.hidden = true;
    reveal(done);
  });
}
