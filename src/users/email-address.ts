import { domainToASCII } from 'node:url';

/** RFC 5321 §4.5.3.1.3, less the angle brackets. */
export const MAX_EMAIL_LENGTH = 254;
/** RFC 5321 §4.5.3.1.1. */
const MAX_LOCAL_LENGTH = 64;
/** The dot-atom of RFC 5322 §3.2.3: no comma, space, quote or angle bracket, so that one address never reads as two. */
const LOCAL = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/;
/** At least two labels; the last one begins with a letter, so that no IP address passes. */
const DOMAIN = /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Letters, digits and marks of any script. Excludes the characters that end the host of a URL. */
const HOST_TEXT = /^[\p{L}\p{M}\p{N}.-]+$/u;

/**
 * The form in which an e-mail address is kept, compared and sent to: after NFKC, lower case, ASCII alone. A domain in
 * another script becomes its `xn--` form, and other letters before the `@` are refused: no address looks like another one.
 * @returns undefined if the text is not one address
 */
export function parseEmail(text: string): string | undefined {
  if (text.length > MAX_EMAIL_LENGTH * 2) return undefined;
  const [local = '', domain = '', ...more] = text.normalize('NFKC').trim().toLowerCase().split('@');
  if (more.length > 0 || local.length > MAX_LOCAL_LENGTH) return undefined;
  if (!LOCAL.test(local) || !HOST_TEXT.test(domain)) return undefined;
  const ascii = domainToASCII(domain);
  const address = `${local}@${ascii}`;
  return DOMAIN.test(ascii) && address.length <= MAX_EMAIL_LENGTH ? address : undefined;
}
