/**
 * How strongly a user was authenticated, weakest first; the claim `acr` (RFC 9068 §2.2.1). `pwd`: a password. `mfa`: a
 * password and a second factor, in one request or one login. `phr`: phishing-resistant, a passkey with user verification.
 */
export const ACRS = ['pwd', 'mfa', 'phr'] as const;
export type Acr = (typeof ACRS)[number];

/** One event in which a user proved who they are. Its three parts always stay together. */
export interface Proof {
  readonly acr: Acr;
  /** RFC 8176: the methods. */
  readonly amr: readonly string[];
  /** Milliseconds. */
  readonly at: number;
}

/** A proof without its time, which is that of the transaction that uses it. */
export type ProofMethod = Omit<Proof, 'at'>;

/** A password and nothing else. */
export const PASSWORD_PROOF: ProofMethod = { acr: 'pwd', amr: ['pwd'] };

export function isAcr(value: unknown): value is Acr {
  return (ACRS as readonly unknown[]).includes(value);
}

/** Whether a level is the required one or a stronger one. */
export function reaches(acr: Acr, required: Acr): boolean {
  return ACRS.indexOf(acr) >= ACRS.indexOf(required);
}

export function weakerThan(acr: Acr): readonly Acr[] {
  return ACRS.slice(0, ACRS.indexOf(acr));
}

/** For declarations, at load time. @throws RangeError for a level that does not exist: no token could satisfy it */
export function requireAcr(acr: Acr): Acr {
  if (isAcr(acr)) return acr;
  throw new RangeError(`acr must be one of ${ACRS.join(', ')}, not ${JSON.stringify(acr)}`);
}
