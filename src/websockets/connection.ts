import { type Authentication, type Principal } from '../auth/index.js';
import { type PresentedToken } from '../auth/internals.js';
import { type ClientSocket } from './socket.js';
import { type SocketRefusal } from './socket-refusal.js';

/** A token that was accepted for a connection. */
export interface ConnectionToken extends Authentication {
  presented: PresentedToken;
}

/** One open socket with its user and the timers that will end it. */
export class Connection {
  /** Null as long as the connection is anonymous. */
  token: ConnectionToken | null = null;
  hasEnded = false;
  /** Resolves when all tokens that the client has sent so far were checked. */
  ready: Promise<void> = Promise.resolve();
  private stopWaiting: () => void = () => {};
  private readonly listeners: ((principal: Principal | null) => void)[] = [];

  constructor(readonly socket: ClientSocket) {}

  /** Checks tokens one after another, and before the messages that follow them. Throws what the check throws. */
  async enqueue(check: () => Promise<void>): Promise<void> {
    const checked = this.ready.then(check);
    this.ready = checked.catch(() => {});
    return checked;
  }

  /** @param cancel stops the watch of this token, or the deadline for the first one */
  keep(token: ConnectionToken | null, cancel: () => void): void {
    if (this.hasEnded) return cancel();
    this.stopWaiting();
    this.stopWaiting = cancel;
    this.token = token;
    if (token) this.tell(token.principal);
  }

  /** Returns the user, once there is one; null if the connection ends before. */
  async principal(): Promise<Principal | null> {
    if (this.token || this.hasEnded) return this.token?.principal ?? null;
    return new Promise((resolve) => this.listeners.push(resolve));
  }

  /** Closes the socket; its later messages are ignored. */
  end(refusal: SocketRefusal): void {
    if (this.hasEnded) return;
    this.forget();
    this.socket.close(refusal);
  }

  /** To be called when the socket has closed. */
  forget(): void {
    this.hasEnded = true;
    this.stopWaiting();
    this.tell(null);
  }

  private tell(principal: Principal | null): void {
    for (const listener of this.listeners.splice(0)) listener(principal);
  }
}
