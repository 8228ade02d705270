import { normalise } from './password-hasher.js';

/** Characters. NIST SP 800-63B-4 §3.1.1.2 allows 8 beside a second factor, and asks for 15 where there is none. */
export const SHORTEST_PASSWORD = 8;
/** Bounds the work of hashing; nothing shorter is ever cut (ASVS 6.2.8). */
export const LONGEST_PASSWORD = 256;

/** Characters that must be left once a name that anybody knows has been taken out. */
const LEAST_BESIDE_A_NAME = 6;
/** Shorter names are parts of too many words. */
const SHORTEST_NAME = 3;

/**
 * What a new password must be (NIST SP 800-63B-4 §3.1.1.2, ASVS 6.2): long enough, not one that everybody tries, and not
 * made of the user's name or the service's. No rules on kinds of characters: they make passwords worse.
 */
export class PasswordPolicy {
  private common: Promise<ReadonlySet<string>> | undefined;

  constructor(
    private readonly minLength: number,
    /** The names of the service: its issuer. */
    private readonly serviceNames: readonly string[],
  ) {}

  /** @returns why the password cannot be taken, in words for who chose it; undefined when it can */
  async rejectionReason(password: string, username: string): Promise<string | undefined> {
    const given = normalise(password).toLowerCase();
    if ([...given].length < this.minLength) return `must be at least ${this.minLength} characters long`;
    const name = [username, ...this.serviceNames].find((each) => isMadeOf(given, each.toLowerCase()));
    if (name !== undefined)
      return `must not be made of "${name}"; choose words that nobody connects with you`;
    if ((await this.commonPasswords()).has(given))
      return 'is one of the passwords that are tried first; choose another';
    return undefined;
  }

  /** Read when first needed: nobody who only verifies passwords has use for it. */
  private commonPasswords(): Promise<ReadonlySet<string>> {
    this.common ??= readCommonPasswords();
    return this.common;
  }
}

/** The password is little more than the name, be it repeated or with a number behind. */
function isMadeOf(password: string, name: string): boolean {
  if (name.length < SHORTEST_NAME || !password.includes(name)) return false;
  return password.replaceAll(name, '').length < LEAST_BESIDE_A_NAME;
}

async function readCommonPasswords(): Promise<ReadonlySet<string>> {
  const { dictionary } = await import('@zxcvbn-ts/language-common');
  return new Set(
    dictionary['passwords-common']
      .map((each) => each.toLowerCase())
      .filter((each) => each.length >= SHORTEST_PASSWORD),
  );
}
