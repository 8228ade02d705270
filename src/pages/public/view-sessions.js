import { api } from './api.js';
import { find, findElement, onClick, rowOf, say, shownTime } from './dom.js';

/** @param {HTMLElement} root */
export async function showSessions(root) {
  const section = findElement(root, '.card');
  const list = findElement(root, '[data-sessions]');
  const everywhere = find(root, '[data-all]', HTMLButtonElement);
  const update = async () => {
    const sessions = await api.sessions();
    list.replaceChildren(
      ...sessions.map(({ id, user_agent, ip, last_used_at, current }) => {
        const { item, button } = rowOf({
          title: deviceOf(user_agent ?? ''),
          detail: `${ip ?? 'unknown address'}, last used ${shownTime(last_used_at)}`,
          ...(current ? { tag: 'this device' } : { action: 'Log out' }),
        });
        onClick(button, section, async () => {
          await api.revokeSession(id);
          await update();
          say('That session has ended.');
          everywhere.focus();
        });
        return item;
      }),
    );
  };
  onClick(everywhere, section, async () => {
    await api.logoutAll();
    location.hash = 'login';
  });
  await update();
}

/** In two words. @param {string} agent */
function deviceOf(agent) {
  const browser = /(Edg|OPR|Firefox|Chrome|Safari)/.exec(agent.replace(/Chrome.*(?=Edg|OPR)/, ''))?.[0];
  const system = /(iPhone|iPad|Android|Windows|Mac OS|Linux)/.exec(agent)?.[0];
  const names = [browser?.replace('Edg', 'Edge').replace('OPR', 'Opera'), system].filter(Boolean);
  return names.join(' on ') || agent.slice(0, 40) || 'Unknown device';
}
