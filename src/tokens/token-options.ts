/** Options of the tokens module; durations in milliseconds. A class, so that it is its own DI token. */
export abstract class TokenOptions {
  /** `iss` of every token. */
  abstract readonly issuer: string;
  abstract readonly audience: readonly string[];
  /** Also accepted: names from before a rename, or of other services. */
  abstract readonly acceptIssuers: readonly string[];
  abstract readonly acceptAudiences: readonly string[];
  abstract readonly accessTtl: number;
  /** How far the clock of a token's issuer may differ, for `exp` and `nbf`. */
  abstract readonly leeway: number;
  /** Whether issued tokens have `nbf`. It is always checked if present. */
  abstract readonly notBefore: boolean;
}
