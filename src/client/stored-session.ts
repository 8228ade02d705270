/** Where the client keeps what must survive a page: `localStorage`, React Native's `AsyncStorage`, or one of your own. */
export interface Store {
  getItem(name: string): string | null | Promise<string | null>;
  setItem(name: string, value: string): unknown;
  removeItem(name: string): unknown;
}

/** What all tabs share about one login. It is written in one piece. */
export interface StoredSession {
  /** Random, made at the login. It names the login, and is the first part of each `Idempotency-Key`. */
  id: string;
  /**
   * Counts the refreshes, and is the second part of the key. So every tab sends the same key with the same refresh token,
   * and the key is stored before it is sent.
   */
  turn: number;
  /** Milliseconds since the epoch, by the clock of this device, when the access token ends. */
  expiresAt: number;
  /** Both tokens are absent in cookie mode, where the browser has them. */
  accessToken?: string;
  refreshToken?: string;
  /** Cookie mode: a late answer may have put the previous refresh token back into the browser's cookies. */
  isBehind?: true;
  /** Cookie mode: the session is over. Without this member, the page would not know whether there are cookies. */
  isOver?: true;
}

const NAME = 'freshgate.session';
const DEVICE = 'freshgate.device';

/** The session of all tabs, and the mark of a known device, in a `Store`. */
export class SessionStore {
  constructor(private readonly store: Store) {}

  async read(): Promise<StoredSession | null> {
    const text = await this.store.getItem(NAME);
    try {
      return text === null ? null : (JSON.parse(text) as StoredSession);
    } catch {
      return null;
    }
  }

  async write(session: StoredSession | null): Promise<void> {
    if (session === null) await this.store.removeItem(NAME);
    else await this.store.setItem(NAME, JSON.stringify(session));
  }

  async device(): Promise<string | null> {
    return this.store.getItem(DEVICE);
  }

  async keepDevice(token: string): Promise<void> {
    await this.store.setItem(DEVICE, token);
  }
}

/** The browser's `localStorage`; elsewhere, or where the browser forbids it, a store that lives as long as the page. */
export function defaultStore(): Store {
  try {
    const { localStorage } = globalThis as { localStorage?: Store };
    if (localStorage) return localStorage;
  } catch {
    // A browser that blocks cookies throws at the mere access.
  }
  const items = new Map<string, string>();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem: (name, value) => items.set(name, value),
    removeItem: (name) => items.delete(name),
  };
}
