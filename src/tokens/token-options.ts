/** What the tokens room needs to know; durations in milliseconds. A class, so that it is its own DI token. */
export abstract class TokenOptions {
  abstract readonly issuer: string;
  abstract readonly audience: string;
  abstract readonly accessTtl: number;
}
