import { Injectable } from '@nestjs/common';
import { Authenticator, Clock, ErrorFilter, type Principal, TokenError } from '../auth/index.js';
import { CsrfCheck, type PresentedToken, TokenReader, TokenWatch } from '../auth/internals.js';
import { Connection } from './connection.js';
import { GatewaysOptions } from './gateways.options.js';
import { toNumericDate } from '../time/clock.js';
import { clientSocketOf } from './socket.js';
import { type SocketRefusal, toSocketRefusal } from './socket-refusal.js';

/** The answer to the message `authenticate`, as an event. */
interface Authenticated {
  event: 'authenticated' | 'exception';
  data: object;
}

/** The connections of the application's gateways, with their users and tokens. */
@Injectable()
export class Sockets {
  private readonly connections = new WeakMap<object, Connection>();

  constructor(
    private readonly authenticator: Authenticator,
    private readonly reader: TokenReader,
    private readonly csrf: CsrfCheck,
    private readonly watch: TokenWatch,
    private readonly errors: ErrorFilter,
    private readonly clock: Clock,
    private readonly options: GatewaysOptions,
  ) {}

  /**
   * Returns the user of a gateway's socket, once it has sent a valid token: `await sockets.principal(client)` in
   * `handleConnection`. Null if it closes before.
   */
  async principal(socket: object): Promise<Principal | null> {
    return this.connections.get(socket)?.principal() ?? null;
  }

  /**
   * Begins a connection, or returns the one that an earlier gateway of the same server has begun.
   * @throws TypeError for a socket that is neither of ws nor of socket.io
   */
  open(socket: object, request: unknown): { connection: Connection; isNew: boolean } {
    const known = this.connections.get(socket);
    if (known) return { connection: known, isNew: false };
    const connection = new Connection(clientSocketOf(socket, request));
    this.connections.set(socket, connection);
    connection.keep(null, this.startDeadline(connection));
    connection
      .enqueue(async () => this.readHandshake(connection))
      .catch((error: unknown) => this.end(connection, error));
    return { connection, isNew: true };
  }

  /** Accepts a token from the message `authenticate`. A refused token changes nothing. */
  async authenticate(connection: Connection, message: unknown): Promise<Authenticated> {
    try {
      const { token } = Object(message) as { token?: unknown };
      await connection.enqueue(async () => this.accept(connection, presented(token)));
      return { event: 'authenticated', data: { expires_in: this.secondsLeft(connection) } };
    } catch (error) {
      return { event: 'exception', data: this.refusalOf(error) };
    }
  }

  private async readHandshake(connection: Connection): Promise<void> {
    const { handshake, handshakeToken } = connection.socket;
    const found =
      handshakeToken === undefined ? this.reader.read(handshake, ['access']) : presented(handshakeToken);
    if (found) await this.accept(connection, found);
  }

  private async accept(connection: Connection, token: PresentedToken): Promise<void> {
    const { principal, claims } = await this.authenticator.access(token.token);
    if (token.location === 'cookie')
      this.csrf.requireProof({ ...connection.socket.handshake, authInfo: claims });
    requireSameUser(connection, principal);
    const cancel = this.watch.until(claims, (error) => this.end(connection, error));
    connection.keep({ principal, claims, presented: token }, cancel);
  }

  private startDeadline(connection: Connection): () => void {
    const { authenticateWithin } = this.options;
    if (authenticateWithin === null) return () => {};
    return this.clock.at(this.clock.now() + authenticateWithin, () =>
      this.end(connection, new TokenError('token_missing', 'the connection sent no token in time')),
    );
  }

  private end(connection: Connection, error: unknown): void {
    connection.end(this.refusalOf(error));
  }

  private refusalOf(error: unknown): SocketRefusal {
    return toSocketRefusal(this.errors.explain(error, 'socket'));
  }

  private secondsLeft({ token }: Connection): number {
    return Math.max(0, (token?.claims.exp ?? 0) - toNumericDate(this.clock.now()));
  }
}

/** @throws TokenError `token_missing`, or `token_invalid` for a value that is not text */
function presented(token: unknown): PresentedToken {
  if (token === undefined) throw new TokenError('token_missing', 'the message has no token');
  if (typeof token !== 'string') throw new TokenError('token_invalid', 'the token is not a string');
  return { token, location: 'body' };
}

/** A connection belongs to one user, as do the rooms and subscriptions of its handlers. @throws TokenError `token_invalid` */
function requireSameUser({ token }: Connection, { userId }: Principal): void {
  if (!token || token.principal.userId === userId) return;
  const reason = `the token of ${userId}, on a connection of ${token.principal.userId}`;
  throw new TokenError('token_invalid', reason);
}
