import { type SessionOptions } from '../sessions/session-options.js';
import { type KeySource } from '../tokens/key-file.js';
import { type TokenOptions } from '../tokens/token-options.js';

/** Everything that can be set about authentication. Durations are milliseconds. A class: its own DI token. */
export abstract class AuthOptions {
  /** The file of the keys, which is watched, or the keys themselves. */
  abstract readonly keys: KeySource;
  abstract readonly tokens: TokenOptions;
  abstract readonly sessions: Omit<SessionOptions, 'accessTtl' | 'now'> & {
    /** For how long ordinary routes go on without news of ended sessions. */
    revocationMaxStaleness: number;
  };
  /** How old the password proof may be on a fresh route that says nothing else. */
  abstract readonly freshMaxAge: number;
  abstract readonly registration: 'open' | 'closed';
}
