import { api } from './api.js';
import { errorOf } from './client/index.js';
import { find, findElement, onSubmit, rowOf, say, shownTime } from './dom.js';

const AMOUNT = new Intl.NumberFormat(undefined, { minimumFractionDigits: 2 });
/** @param {number} cents */
const shown = (cents) => AMOUNT.format(cents / 100);

/** Also on plain HTTP, where `crypto.randomUUID` is missing. */
const newKey = () => crypto.getRandomValues(new Uint32Array(4)).join('.');

/** @typedef {{ direction: 'in' | 'out', counterparty: string | null, amount: number, created_at: string }} Transfer */

/** @param {HTMLElement} root */
export async function showTransfers(root) {
  const form = find(root, 'form', HTMLFormElement);
  const balance = findElement(root, '[data-balance]');
  const items = findElement(root, '[data-items]');
  const empty = findElement(root, '[data-empty]');
  const update = async () => {
    const list = await read(await api.fetch('/transfers?limit=10'));
    balance.textContent = shown(list.balance);
    items.replaceChildren(
      ...list.items.map((/** @type {Transfer} */ { direction, counterparty, amount, created_at }) => {
        const who = counterparty ?? 'a deleted account';
        const title = direction === 'in' ? `${shown(amount)} from ${who}` : `${shown(-amount)} to ${who}`;
        return rowOf({ title, detail: shownTime(created_at) }).item;
      }),
    );
    empty.hidden = list.items.length > 0;
  };
  /** One key for each intended transfer: a second try makes no second transfer. */
  let key = newKey();
  onSubmit(form, async ({ to = '', amount = '' }) => {
    const headers = { 'Content-Type': 'application/json', 'Idempotency-Key': key };
    const body = JSON.stringify({ to, amount: Math.round(Number(amount) * 100) });
    try {
      await read(await api.fetch('/transfers', { method: 'POST', headers, body }));
    } catch (error) {
      // Without an answer the transfer may have been made, so the next try uses the same key.
      if (!(error instanceof TypeError)) key = newKey();
      throw error;
    }
    key = newKey();
    form.reset();
    await update();
    say(`Sent to ${to}.`);
  });
  await update();
}

/** @param {Response} response */
async function read(response) {
  if (!response.ok) throw await errorOf(response);
  return response.json();
}
