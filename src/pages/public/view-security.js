import { api } from './api.js';
import { find, findElement, onClick, onSubmit, reveal, rowOf, say, shownTime } from './dom.js';
import { passkeyList } from './passkeys.js';
import { qrCode } from './qr.js';

/** @param {HTMLElement} root */
export async function showSecurity(root) {
  const list = findElement(root, '[data-otp]');
  const recovery = findElement(root, '[data-recovery]');
  const left = findElement(recovery, '[data-left]');
  const enrol = find(root, '[data-enrol]', HTMLFormElement);

  const showPasskeys = passkeyList(findElement(root, '[data-passkeys]'), () => update());
  const update = async () => {
    const { otp, passkeys, recovery_codes_left: codes } = await api.factors();
    showPasskeys(passkeys);
    list.replaceChildren(
      ...otp.map(({ id, name, created_at, last_used_at }) => {
        const used = last_used_at === null ? '' : `, last used ${shownTime(last_used_at)}`;
        const detail = `added ${shownTime(created_at)}${used}`;
        const { item, button } = rowOf({ title: name, detail, action: 'Remove' });
        onClick(button, enrol, async () => {
          await api.removeOtp(id);
          await update();
          say(`${name} is removed.`);
          findElement(enrol, 'button').focus();
        });
        return item;
      }),
    );
    recovery.hidden = otp.length === 0;
    left.textContent = `${codes} of them are left.`;
  };

  const codes = showCodes(recovery);
  enrolOtp(root, async (fresh) => {
    await update();
    codes(fresh);
  });
  const form = find(recovery, 'form', HTMLFormElement);
  onSubmit(form, async () => {
    const { recovery_codes } = await api.renewRecoveryCodes();
    await update();
    codes(recovery_codes);
  });
  await update();
}

/** @param {HTMLElement} section */
function showCodes(section) {
  const place = findElement(section, '[data-codes]');
  const list = findElement(place, 'ol');
  return (/** @type {string[]} */ codes) => {
    list.replaceChildren(
      ...codes.map((code) => {
        const item = document.createElement('li');
        item.textContent = code;
        return item;
      }),
    );
    reveal(place);
  };
}

/** @param {HTMLElement} root @param {(codes: string[]) => Promise<void>} onDone */
function enrolOtp(root, onDone) {
  const enrol = find(root, '[data-enrol]', HTMLFormElement);
  const confirm = find(root, '[data-confirm]', HTMLFormElement);
  const name = find(enrol, '[name="name"]', HTMLInputElement);
  let id = '';
  const swap = (/** @type {boolean} */ isConfirming) => {
    enrol.hidden = isConfirming;
    confirm.hidden = !isConfirming;
    confirm.reset();
  };
  onSubmit(enrol, async () => {
    const enrolled = await api.enrolOtp(name.value || undefined);
    id = enrolled.id;
    const uri = enrolled.otpauth_uri;
    findElement(confirm, '[data-qr]').replaceChildren(await qrCode(uri));
    findElement(confirm, '[data-secret]').textContent = new URL(uri).searchParams.get('secret');
    find(confirm, '[data-uri]', HTMLAnchorElement).href = uri;
    swap(true);
    findElement(confirm, '[data-scan]').focus();
  });
  onSubmit(confirm, async ({ otp = '' }) => {
    const { recovery_codes } = await api.confirmOtp(id, otp);
    swap(false);
    enrol.reset();
    await onDone(recovery_codes);
  });
  find(confirm, '[data-cancel]', HTMLButtonElement).addEventListener('click', () => {
    swap(false);
    name.focus();
  });
}
