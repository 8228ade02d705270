import { type AuthRequest } from '../auth/internals.js';
import { type Connection, type ConnectionToken } from './connection.js';

/**
 * One message of a connection, with the connection's token at that time: a handler that is running does not get a later
 * token. Passed as an additional argument of the handler, by which guards and decorators find it.
 */
export class SocketCall {
  private readonly token: ConnectionToken | null;

  constructor(readonly connection: Connection) {
    this.token = connection.token;
  }

  /** Creates the request of the message for the guard. New for each call, because the guard writes to it. */
  toRequest(): AuthRequest {
    const { headers, socket } = this.connection.socket.handshake;
    const request: AuthRequest = {
      headers,
      ...(socket && { socket }),
      findToken: (kinds) => {
        const presented = this.token?.presented;
        if (!presented || !kinds.includes('access')) return null;
        const { locations } = request.authPolicy as { locations?: readonly string[] };
        return locations && !locations.includes(presented.location) ? null : presented;
      },
    };
    return request;
  }
}
