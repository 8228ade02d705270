import { type Origin } from './template-facts.js';

/** The client chooses its user agent, so the mail shows at most one line of it. */
const MAX_AGENT_LENGTH = 120;

export function describeOrigin({ at, ip, userAgent }: Origin): string {
  const when = `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
  const agent = userAgent?.replace(/\p{C}/gu, ' ').slice(0, MAX_AGENT_LENGTH);
  return `When: ${when}. From: ${[ip ?? 'unknown address', agent].filter(Boolean).join(', ')}.`;
}
