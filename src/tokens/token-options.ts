/** Options of the tokens module; durations in milliseconds. A class, so that it is its own DI token. */
export abstract class TokenOptions {
  /** Written into every token. */
  abstract readonly issuer: string;
  abstract readonly audience: readonly string[];
  /** Taken besides those that are written: names from before a change, or of other services. */
  abstract readonly acceptIssuers: readonly string[];
  abstract readonly acceptAudiences: readonly string[];
  abstract readonly accessTtl: number;
  /** How far the clock of a token's issuer may differ, for `exp` and `nbf`. */
  abstract readonly leeway: number;
  /** Whether tokens say `nbf`; one that does is always held to it. */
  abstract readonly notBefore: boolean;
}
