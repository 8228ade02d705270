import { type IncomingMessage, type ServerResponse } from 'node:http';
import { type Socket } from 'node:net';

/** Requests of one connection that are handled at the same time. */
const MAX_AT_WORK = 4;
/** Further requests of one connection that wait. A client that sends more without reading is disconnected. */
const MAX_WAITING = 16;

interface Connection {
  atWork: number;
  waiting: (() => void)[];
}

/**
 * Limits the requests in progress of one connection. Node's parser hands over every request of a packet at once: for a
 * client that pipelines 400 small ones and never reads, all would be handled and their answers kept in memory.
 */
export class InFlight {
  private readonly connections = new WeakMap<Socket, Connection>();

  /** Calls `start` when few enough earlier requests of the connection are unanswered. */
  admit({ socket }: IncomingMessage, response: ServerResponse, start: () => void): void {
    // The connection was closed while the parser still held the request.
    if (socket.destroyed) return;
    const connection = this.connectionOf(socket);
    if (connection.atWork < MAX_AT_WORK) {
      this.begin(connection, response, start);
    } else if (connection.waiting.length < MAX_WAITING) {
      connection.waiting.push(() => this.begin(connection, response, start));
    } else {
      connection.waiting.length = 0;
      socket.destroy();
    }
  }

  private begin(connection: Connection, response: ServerResponse, start: () => void): void {
    connection.atWork++;
    response.once('close', () => {
      connection.atWork--;
      connection.waiting.shift()?.();
    });
    start();
  }

  private connectionOf(socket: Socket): Connection {
    const known = this.connections.get(socket);
    if (known) return known;
    const made: Connection = { atWork: 0, waiting: [] };
    socket.once('close', () => (made.waiting.length = 0));
    this.connections.set(socket, made);
    return made;
  }
}
