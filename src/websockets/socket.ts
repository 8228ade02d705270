import { type IncomingMessage } from 'node:http';
import { type AuthRequest } from '../auth/internals.js';
import { type SocketRefusal } from './socket-refusal.js';

/** The members of a socket of `ws` that we use. */
interface WsSocket {
  readyState: number;
  close(code: number, reason: string): void;
}

/** A socket of socket.io, which belongs to one namespace. */
interface IoSocket {
  handshake: { auth: Record<string, unknown> };
  request: IncomingMessage;
  emit(event: string, data: unknown): unknown;
  disconnect(): unknown;
}

/** The client of a gateway, of either library. */
export interface ClientSocket {
  handshake: AuthRequest;
  /** The `auth.token` of socket.io's handshake; undefined where there is none. */
  handshakeToken: unknown;
  /** Sends the refusal to the client and closes the socket. */
  close(refusal: SocketRefusal): void;
}

/** Characters that a close frame holds, if each is one byte (RFC 6455 §5.5). */
const MAX_REASON_LENGTH = 123;

/**
 * The close code of a refusal: 4401 for 401, and so on for 4xx. Codes from 4000 are the application's (RFC 6455 §7.4.2);
 * 1013 asks the client to try again later, 1011 is an unexpected error.
 */
export function closeCodeOf({ statusCode }: Pick<SocketRefusal, 'statusCode'>): number {
  if (statusCode < 500) return 4000 + statusCode;
  return statusCode === 503 ? 1013 : 1011;
}

/**
 * Reads a socket of `ws` or socket.io.
 * @param request of the handshake, which `ws` passes beside the socket
 * @throws TypeError for sockets of other libraries
 */
export function clientSocketOf(socket: object, request: unknown): ClientSocket {
  if (isIoSocket(socket)) {
    return {
      handshake: toAuthRequest(socket.request),
      handshakeToken: socket.handshake.auth['token'],
      close: (refusal) => {
        // socket.io has no close codes.
        socket.emit('exception', { ...refusal, code: closeCodeOf(refusal) });
        socket.disconnect();
      },
    };
  }
  if (!isWsSocket(socket)) throw new TypeError('only sockets of ws and of socket.io can be protected');
  return {
    handshake: toAuthRequest(request as IncomingMessage),
    handshakeToken: undefined,
    close: (refusal) => socket.close(closeCodeOf(refusal), refusal.errorCode.slice(0, MAX_REASON_LENGTH)),
  };
}

function toAuthRequest({ headers, rawHeaders, url, socket }: IncomingMessage): AuthRequest {
  return { method: 'GET', headers, rawHeaders, url: url ?? '/', socket };
}

function isIoSocket(socket: object): socket is IoSocket {
  return 'handshake' in socket && 'request' in socket && 'disconnect' in socket;
}

function isWsSocket(socket: object): socket is WsSocket {
  return 'readyState' in socket && 'close' in socket;
}
