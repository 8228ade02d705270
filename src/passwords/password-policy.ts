import { normalise } from './password-hasher.js';

/**
 * Characters, after NFC. NIST SP 800-63B-4 §3.1.1.2 allows 8 together with a second factor, and requires 15 without.
 */
export const MIN_PASSWORD_LENGTH = 8;
/** Limits the work of hashing; shorter passwords are never truncated (ASVS 6.2.8). */
export const MAX_PASSWORD_LENGTH = 256;

/** Characters that must remain without a known name. */
const MIN_LENGTH_BESIDE_NAME = 6;
/** Characters. Shorter names are part of too many words. */
const MIN_NAME_LENGTH = 3;

/**
 * The rules for a new password (NIST SP 800-63B-4 §3.1.1.2, ASVS 6.2): long enough, not common, and not made of the
 * username or the service's name. No rules on kinds of characters: they make passwords worse.
 */
export class PasswordPolicy {
  private common: Promise<ReadonlySet<string>> | undefined;

  constructor(
    private readonly minLength: number,
    /** The names of the service: its issuer. */
    private readonly serviceNames: readonly string[],
  ) {}

  /** @returns the reason for the user if the password is refused; undefined if it is accepted */
  async rejectionReason(password: string, username: string): Promise<string | undefined> {
    const given = normalise(password).toLowerCase();
    if ([...given].length < this.minLength) return `must be at least ${this.minLength} characters long`;
    const name = [username, ...this.serviceNames].find((each) => isMadeOf(given, each.toLowerCase()));
    if (name !== undefined)
      return `must not be made of "${name}"; choose words that are not connected with you`;
    if ((await this.commonPasswords()).has(given))
      return 'is a common password, which attackers try first; choose another';
    return undefined;
  }

  /** Loaded when the first new password is checked: verifying needs no list. */
  private commonPasswords(): Promise<ReadonlySet<string>> {
    this.common ??= readCommonPasswords();
    return this.common;
  }
}

/** Whether the password is little more than the name, for example repeated or followed by a number. */
function isMadeOf(password: string, name: string): boolean {
  if (name.length < MIN_NAME_LENGTH || !password.includes(name)) return false;
  return password.replaceAll(name, '').length < MIN_LENGTH_BESIDE_NAME;
}

async function readCommonPasswords(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new Set(
    dictionary['passwords-common']
      .map((each) => each.toLowerCase())
      .filter((each) => each.length >= MIN_PASSWORD_LENGTH),
  );
}
