/** Options of the sessions module; durations in milliseconds. A class, so that it is its own DI token. */
export abstract class SessionOptions {
  /** Lifetime of a refresh token that is not used. */
  abstract readonly refreshTtl: number;
  /** Lifetime of a session, from its login. */
  abstract readonly sessionTtl: number;
  /** How long after a rotation a client without an `Idempotency-Key` may present the previous token. */
  abstract readonly refreshGrace: number;
  /** The longest lifetime of an access token. */
  abstract readonly accessTtl: number;
  /** How often one session may refresh in a window. */
  abstract readonly refreshLimit: { readonly points: number; readonly seconds: number };
  /** The application's clock, for work outside of requests. */
  abstract readonly now: () => number;
}
