import { api } from './api.js';
import { find, findElement, hasPasskeys, onClick, onSubmit, rowOf, say, shownTime } from './dom.js';

/** @typedef {Awaited<ReturnType<typeof api.factors>>['passkeys'][number]} Passkey */

/**
 * The part about passkeys.
 * @param {HTMLElement} section
 * @param {() => Promise<void>} update lists them again
 * @returns {(passkeys: Passkey[]) => void} shows them
 */
export function passkeyList(section, update) {
  const list = findElement(section, 'ul');
  const form = find(section, 'form', HTMLFormElement);
  onSubmit(form, async ({ name }) => {
    await api.addPasskey(name);
    form.reset();
    await update();
    say('The passkey is added.');
  });
  return (passkeys) => {
    section.hidden = !hasPasskeys() && passkeys.length === 0;
    form.hidden = !hasPasskeys();
    list.replaceChildren(
      ...passkeys.map(({ id, name, created_at }) => {
        const { item, button } = rowOf({
          title: name,
          detail: `added ${shownTime(created_at)}`,
          action: 'Remove',
        });
        onClick(button, form, async () => {
          await api.removePasskey(id);
          await update();
          say(`${name} is removed.`);
        });
        return item;
      }),
    );
  };
}
