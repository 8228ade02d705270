import { api, events, whoIsIn } from './api.js';
import { copyOf, find, findElement, messageOf, say } from './dom.js';
import { cancelProof } from './step-up.js';
import { showAccount } from './view-account.js';
import { showForgot } from './view-forgot.js';
import { LINKS, showLink } from './view-link.js';
import { showLogin } from './view-login.js';
import { showRegister } from './view-register.js';
import { showSecurity } from './view-security.js';
import { showSessions } from './view-sessions.js';
// example:begin
import { showTransfers } from './view-transfers.js';
// example:end

/** @typedef {{ show: (root: HTMLElement, account: import('./api.js').Account | null) => Promise<void> | void, open?: true }} View */

/** By the `#` of the address. @type {Record<string, View>} */
const VIEWS = {
  login: { show: showLogin, open: true },
  register: { show: showRegister, open: true },
  forgot: { show: showForgot, open: true },
  account: { show: showAccount },
  security: { show: showSecurity },
  sessions: { show: showSessions },
  // example:begin
  transfers: { show: showTransfers },
  // example:end
};

const main = findElement(document, '#main');
const nav = findElement(document, '#nav');
/** Counts the views: a view that loads too late, after another one was opened, is not shown. */
let turn = 0;
/** Why the login is shown. */
let reason = '';

async function render() {
  const current = ++turn;
  const hash = location.hash.slice(1);
  const isLink = hash === '' && location.pathname in LINKS;
  let account = null;
  try {
    account = await whoIsIn();
  } catch (error) {
    if (current === turn) showTrouble(error);
    return;
  }
  if (current !== turn) return;
  const name = isLink ? 'link' : nameOf(hash, account !== null);
  if (!isLink && name !== hash) history.replaceState(null, '', `#${name}`);
  nav.hidden = account === null;
  for (const link of nav.querySelectorAll('a'))
    if (link.hash === `#${name}`) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  await open(name, isLink ? showLink : (VIEWS[name]?.show ?? showLogin), account);
}

/** The view of an address: the login without a session, the account with one. @param {string} hash @param {boolean} isIn */
function nameOf(hash, isIn) {
  const view = VIEWS[hash];
  if (view?.open) return isIn ? 'account' : hash;
  return isIn ? (view ? hash : 'account') : 'login';
}

/** @param {string} name @param {View['show']} show @param {import('./api.js').Account | null} account */
async function open(name, show, account) {
  const current = turn;
  const root = document.createElement('div');
  root.append(copyOf(`view-${name}`));
  try {
    await show(root, account);
  } catch (error) {
    if (current === turn) showTrouble(error);
    return;
  }
  if (current !== turn) return;
  const isFirst = main.childElementCount === 0;
  main.replaceChildren(...root.childNodes);
  const title = find(main, 'h1', HTMLElement);
  document.title = `${title.textContent} · freshgate`;
  if (name !== 'login') reason = '';
  say(reason);
  const field = name === 'login' || name === 'register' ? main.querySelector('input') : null;
  if (field) field.focus();
  else if (!isFirst) title.focus();
}

/** @param {unknown} error */
function showTrouble(error) {
  main.replaceChildren(copyOf('view-trouble'));
  findElement(main, '.error').textContent = messageOf(error);
  find(main, '[data-again]', HTMLButtonElement).addEventListener('click', () => void render());
}

events.onSignedOut = (why) => {
  cancelProof();
  reason = why === 'signed_out' ? 'You have logged out.' : 'Your session has ended. Log in again.';
  goToLogin();
};

find(document, '#logout', HTMLButtonElement).addEventListener('click', () => {
  reason = 'You have logged out.';
  // The tokens of this device are forgotten at once, whatever the server answers.
  void api
    .logout()
    .catch(() => (reason = 'You have logged out here, but the server could not be reached.'))
    .then(goToLogin);
});

function goToLogin() {
  // A change of the address shows its view.
  if (location.hash === '#login') void render();
  else location.hash = 'login';
}

addEventListener('hashchange', () => void render());
// Another tab has logged in or out.
addEventListener('storage', () => {
  if (nav.hidden) void render();
  else void whoIsIn();
});
// A page from the browser's cache is rendered again: it may be from before a logout.
addEventListener('pageshow', ({ persisted }) => {
  if (persisted) void render();
});

void render();
