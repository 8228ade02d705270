/** The limits, as text: `10 per 1h`. A class, so that it is its own DI token. */
export abstract class RateLimitOptions {
  abstract readonly account: string;
  abstract readonly accountAndAddress: string;
  abstract readonly address: string;
  abstract readonly device: string;
  abstract readonly register: string;
}
