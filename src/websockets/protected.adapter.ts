import {
  Injectable,
  type OnApplicationBootstrap,
  type WebSocketAdapter,
  type WsMessageHandler,
} from '@nestjs/common';
import { ApplicationConfig, HttpAdapterHost } from '@nestjs/core';
import { from, type Observable } from 'rxjs';
import { type Connection } from './connection.js';
import { GatewaysOptions } from './gateways.options.js';
import { SocketCall } from './socket-call.js';
import { Sockets } from './sockets.js';

/** The message that gives a connection its token, and each token after it. */
export const AUTHENTICATE = 'authenticate';

type Transform = Parameters<WebSocketAdapter['bindMessageHandlers']>[2];

/**
 * Wraps the application's WebSocket adapter and protects each socket: opens it with the token of its handshake, accepts
 * later tokens, and passes each message to its handler together with the current token.
 */
@Injectable()
export class ProtectedAdapter implements WebSocketAdapter<unknown, object>, OnApplicationBootstrap {
  /** Set by Nest. */
  forceCloseConnections: boolean | undefined;
  private made: WebSocketAdapter | undefined;

  constructor(
    private readonly config: ApplicationConfig,
    private readonly host: HttpAdapterHost,
    private readonly sockets: Sockets,
    private readonly options: GatewaysOptions,
  ) {
    // Set before Nest connects the gateways and creates a default adapter.
    config.setIoAdapter(this);
  }

  /** @throws Error if the application has set another adapter */
  onApplicationBootstrap(): void {
    if (this.config.getIoAdapter() === this) return;
    throw new Error(
      'app.useWebSocketAdapter() would leave gateways unprotected: give the adapter to GatewaysModule.forRoot({ adapter })',
    );
  }

  create(port: number, options?: unknown): unknown {
    return this.adapter.create(port, options);
  }

  /** Called for each gateway of a server, so several times for a socket. */
  bindClientConnect(server: unknown, callback: (...args: unknown[]) => unknown): void {
    this.adapter.bindClientConnect(server, (socket: object, ...args: unknown[]) => {
      const { connection, isNew } = this.sockets.open(socket, args[0]);
      if (isNew) {
        this.bindClientDisconnect(socket, () => connection.forget());
        // Beside the handlers of the gateways, and before them: the first message is often this one.
        this.adapter.bindMessageHandlers(socket, [this.authenticateHandler(connection)], sendAnswer);
      }
      callback(socket, ...args);
    });
  }

  bindClientDisconnect(socket: object, callback: (reason?: unknown) => void): void {
    this.adapter.bindClientDisconnect?.(socket, callback);
  }

  closeClient(socket: object): unknown {
    return this.adapter.closeClient?.(socket);
  }

  bindMessageHandlers(socket: object, handlers: WsMessageHandler[], transform: Transform): void {
    const { connection } = this.sockets.open(socket, undefined);
    const guarded = handlers.map((handler) => ({
      ...handler,
      callback: async (...args: unknown[]) => {
        await connection.ready;
        if (connection.hasEnded) return undefined;
        return handler.callback(...args, new SocketCall(connection)) as Promise<unknown>;
      },
    }));
    this.adapter.bindMessageHandlers(socket, guarded, transform);
  }

  close(server: unknown): unknown {
    return this.adapter.close(server) as unknown;
  }

  async dispose(): Promise<void> {
    await (this.adapter as { dispose?: () => Promise<void> }).dispose?.();
  }

  /** Answered by the acknowledgement of socket.io if the client waits for one, else by an event. */
  private authenticateHandler(connection: Connection): WsMessageHandler {
    return {
      message: AUTHENTICATE,
      isAckHandledManually: false,
      callback: async (data: unknown, ack: unknown) => {
        const answer = await this.sockets.authenticate(connection, data);
        return typeof ack === 'function' ? answer.data : answer;
      },
    };
  }

  /** Created at the first use: the HTTP server does not exist yet when providers are created. */
  private get adapter(): WebSocketAdapter {
    if (this.made) return this.made;
    this.made = this.options.adapter(this.host.httpAdapter.getHttpServer() as object);
    return Object.assign(this.made, { forceCloseConnections: this.forceCloseConnections });
  }
}

function sendAnswer(answer: Promise<unknown>): Observable<unknown> {
  return from(answer);
}
