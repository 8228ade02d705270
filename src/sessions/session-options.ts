/** Options of the sessions module; durations in milliseconds. A class, so that it is its own DI token. */
export abstract class SessionOptions {
  /** The life of a refresh token that is not used. */
  abstract readonly refreshTtl: number;
  /** The life of a session from its login on. */
  abstract readonly sessionTtl: number;
  /** For how long after a rotation a client without an idempotency key may present the predecessor. */
  abstract readonly refreshGrace: number;
  /** The longest life of an access token issued for a session. */
  abstract readonly accessTtl: number;
  /** How often one session may refresh in a window. */
  abstract readonly refreshLimit: { readonly points: number; readonly seconds: number };
  /** The application's clock, for what no request asks for. */
  abstract readonly now: () => number;
}
