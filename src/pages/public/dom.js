import { ApiError, SignedOutError } from './client/index.js';

/**
 * Finds an element that the markup must contain.
 * @template {Element} T
 * @param {ParentNode} root
 * @param {string} selector
 * @param {new () => T} type
 * @returns {T}
 */
export function find(root, selector, type) {
  const element = root.querySelector(selector);
  if (!(element instanceof type)) throw new TypeError(`index.html has no ${type.name} ${selector}`);
  return element;
}

/** @param {ParentNode} root @param {string} selector */
export const findElement = (root, selector) => find(root, selector, HTMLElement);

/** A copy of the `<template>` of that id. @param {string} id @returns {DocumentFragment} */
export function copyOf(id) {
  return document.importNode(find(document, `template#${id}`, HTMLTemplateElement).content, true);
}

/** Says something that changed, to eyes and to screen readers. @param {string} text */
export function say(text) {
  findElement(document, '#status').textContent = text;
}

/** Shows an element and moves the focus there, so that a screen reader reads it. @param {HTMLElement} element */
export function reveal(element) {
  element.hidden = false;
  element.focus();
}

/** @param {HTMLFormElement} form @returns {Record<string, string>} what was filled in */
export function fieldsOf(form) {
  /** @type {Record<string, string>} */
  const fields = {};
  for (const [name, value] of new FormData(form))
    if (typeof value === 'string' && value) fields[name] = value;
  return fields;
}

/**
 * Calls `act` with the fields of each submission, and shows why it failed.
 * @param {HTMLFormElement} form
 * @param {(fields: Record<string, string>) => Promise<void>} act
 */
export function onSubmit(form, act) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    if (form.ariaBusy === 'true') return;
    hideErrors(form);
    if (!isComplete(form)) return;
    form.ariaBusy = 'true';
    void act(fieldsOf(form))
      .catch((error) => showError(form, error))
      .finally(() => (form.ariaBusy = null));
  });
}

/**
 * The same for a button outside of a form.
 * @param {HTMLButtonElement} button
 * @param {ParentNode} root where the error is shown
 * @param {() => Promise<void>} act
 */
export function onClick(button, root, act) {
  button.addEventListener('click', () => {
    if (button.ariaBusy === 'true') return;
    hideErrors(root);
    button.ariaBusy = 'true';
    void act()
      .catch((error) => showError(root, error))
      .finally(() => (button.ariaBusy = null));
  });
}

/** The browser's own messages, beside the fields. @param {HTMLFormElement} form */
function isComplete(form) {
  const wrong = [...form.elements].filter(
    (each) => each instanceof HTMLInputElement && !each.checkValidity(),
  );
  for (const input of wrong) if (input instanceof HTMLInputElement) mark(input, input.validationMessage);
  if (wrong[0] instanceof HTMLInputElement) wrong[0].focus();
  return wrong.length === 0;
}

/** @param {ParentNode} root @param {unknown} error */
export function showError(root, error) {
  // The login is shown by then.
  if (error instanceof SignedOutError) return;
  const refused = error instanceof ApiError ? fieldErrorsOf(error) : [];
  const marked = refused.filter(({ field, messages }) => {
    const input = root.querySelector(`input[name="${CSS.escape(field)}"]`);
    if (!(input instanceof HTMLInputElement) || input.disabled) return false;
    mark(input, messages.join('; '));
    return true;
  });
  if (marked.length > 0) {
    find(root, '[aria-invalid]', HTMLInputElement).focus();
    return;
  }
  const place = findElement(root, '.error');
  place.textContent = messageOf(error);
  place.hidden = false;
}

/** Whether this browser can use passkeys. */
export const hasPasskeys = () => typeof PublicKeyCredential === 'function';

/** @param {unknown} error @returns {string} */
export function messageOf(error) {
  if (error instanceof DOMException) return 'No passkey was used: you cancelled, or this device has none.';
  if (!(error instanceof ApiError)) return 'No connection to the server. Check your network, and try again.';
  if (error.errorCode === 'fresh_token_required') return 'Cancelled. Nothing was changed.';
  const wait = error.retryAfter === undefined ? '' : ` Try again in ${error.retryAfter} seconds.`;
  return `${error.message.replace(/\.?$/, '.')}${wait}`;
}

/** @param {ApiError} error */
function fieldErrorsOf(error) {
  return /** @type {{ field: string, messages: string[] }[]} */ (error.body['errors'] ?? []);
}

/** @param {HTMLInputElement} input @param {string} message */
function mark(input, message) {
  const hint = document.createElement('span');
  hint.className = 'hint';
  hint.id = `hint-${input.name}`;
  hint.textContent = message;
  input.after(hint);
  input.setAttribute('aria-invalid', 'true');
  input.setAttribute('aria-describedby', hint.id);
}

/** @param {ParentNode} root */
export function hideErrors(root) {
  say('');
  for (const hint of root.querySelectorAll('.hint')) hint.remove();
  for (const input of root.querySelectorAll('[aria-invalid]')) {
    input.removeAttribute('aria-invalid');
    input.removeAttribute('aria-describedby');
  }
  const place = root.querySelector('.error');
  if (place instanceof HTMLElement) place.hidden = true;
}

/**
 * An item of a list.
 * @param {{ title: string, detail: string, tag?: string, action?: string }} item
 * @returns {{ item: HTMLElement, button: HTMLButtonElement }}
 */
export function rowOf({ title, detail, tag, action }) {
  const row = copyOf('row');
  findElement(row, '[data-title]').textContent = title;
  findElement(row, '[data-detail]').textContent = detail;
  const label = findElement(row, '[data-tag]');
  label.textContent = tag ?? '';
  label.hidden = tag === undefined;
  const button = find(row, 'button', HTMLButtonElement);
  button.textContent = action ?? '';
  // "Remove" alone would not say what, in a list of all buttons.
  if (action !== undefined) button.setAttribute('aria-label', `${action}: ${title}`);
  button.hidden = action === undefined;
  return { item: findElement(row, 'li'), button };
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
/** @param {string} time RFC 3339 */
export const shownTime = (time) => DATE.format(new Date(time));
