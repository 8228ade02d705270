import { type WebSocketAdapter } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { WsAdapter } from '@nestjs/platform-ws';
import { io } from 'socket.io-client';
import { WebSocket } from 'ws';
import { GatewaysModule, type GatewaysSettings, type SocketRefusal } from '../../src/websockets/index.js';
import { type TestApp } from './create-test-app.js';

export type Library = 'ws' | 'socket.io';
export const LIBRARIES: readonly Library[] = ['ws', 'socket.io'];

const ADAPTERS: Record<Library, (server: object) => WebSocketAdapter> = {
  ws: (server) => new WsAdapter(server),
  'socket.io': (server) => new IoAdapter(server),
};

export function gatewaysModule(library: Library, settings: Partial<GatewaysSettings> = {}) {
  return GatewaysModule.forRoot({ adapter: ADAPTERS[library], ...settings });
}

export interface Handshake {
  headers?: Record<string, string>;
  /** `auth.token` of socket.io. */
  auth?: unknown;
  /** Of socket.io. */
  namespace?: string;
  query?: string;
}

/** An event from the server. */
export interface Told {
  event: string;
  data: unknown;
}

/** How a connection ended: the close code and reason of `ws`, or the last `exception` of socket.io. */
export interface Ended {
  code: number;
  reason: string;
}

/** A real client of either library. */
export abstract class TestSocket {
  readonly told: Told[] = [];
  ended: Ended | undefined;
  private readonly waiting: (() => void)[] = [];

  static async connect(library: Library, api: TestApp, handshake: Handshake = {}): Promise<TestSocket> {
    const url = await api.app.getUrl();
    const socket = library === 'ws' ? new WsClient(url, handshake) : new IoClient(url, handshake);
    await socket.opened;
    return socket;
  }

  protected abstract readonly opened: Promise<void>;
  abstract send(event: string, data?: unknown): void;
  abstract close(): void;

  /** Sends a message and returns the next event. */
  async ask(event: string, data?: unknown): Promise<Told> {
    const seen = this.told.length;
    this.send(event, data);
    return this.next(seen);
  }

  /** As `ask`, of an answer that must be an exception. */
  async refusal(event: string, data?: unknown): Promise<SocketRefusal> {
    const told = await this.ask(event, data);
    if (told.event !== 'exception') throw new Error(`expected an exception, got ${JSON.stringify(told)}`);
    return told.data as SocketRefusal;
  }

  authenticate(token: string): Promise<Told> {
    return this.ask('authenticate', { token });
  }

  /** The event after so many, once it is there. @throws Error if the connection ends, or after 2 s */
  async next(seen = this.told.length): Promise<Told> {
    await this.until(() => this.told.length > seen);
    return this.told[seen] as Told;
  }

  /** How it ended. @throws Error after 2 s */
  async end(): Promise<Ended> {
    await this.until(() => this.ended !== undefined);
    return this.ended as Ended;
  }

  protected tell(told: Told): void {
    this.told.push(told);
    this.changed();
  }

  protected finish(ended: Ended): void {
    this.ended ??= ended;
    this.changed();
  }

  private changed(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private async until(holds: () => boolean): Promise<void> {
    const late = Date.now() + 2_000;
    while (!holds()) {
      if (this.ended) throw new Error(`ended: ${JSON.stringify(this.ended)}`);
      if (Date.now() > late) throw new Error(`nothing came, after ${JSON.stringify(this.told)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 2_000);
        this.waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }
}

class WsClient extends TestSocket {
  readonly opened: Promise<void>;
  private readonly socket: WebSocket;

  constructor(url: string, { headers = {}, query = '' }: Handshake) {
    super();
    this.socket = new WebSocket(`${url.replace('http', 'ws')}/${query}`, { headers });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('open', resolve).once('error', reject);
    });
    this.socket.on('message', (data: Buffer) => this.tell(JSON.parse(data.toString()) as Told));
    this.socket.on('close', (code, reason) => this.finish({ code, reason: reason.toString() }));
  }

  send(event: string, data?: unknown): void {
    this.socket.send(JSON.stringify({ event, data }));
  }

  /** One binary frame, whose text is a message. */
  sendBinary(event: string, data: unknown): void {
    this.socket.send(Buffer.from(JSON.stringify({ event, data })), { binary: true });
  }

  close(): void {
    this.socket.close();
  }
}

class IoClient extends TestSocket {
  readonly opened: Promise<void>;
  private readonly socket: ReturnType<typeof io>;

  constructor(url: string, { headers = {}, auth, namespace = '', query = '' }: Handshake) {
    super();
    this.socket = io(`${url}/${namespace}`, {
      extraHeaders: headers,
      auth: auth === undefined ? {} : { token: auth },
      query: Object.fromEntries(new URLSearchParams(query)),
      transports: ['websocket'],
      reconnection: false,
      forceNew: true,
    });
    this.opened = new Promise((resolve, reject) => {
      this.socket.once('connect', resolve).once('connect_error', reject);
    });
    this.socket.onAny((event: string, data: unknown) => this.tell({ event, data }));
    this.socket.on('disconnect', () => {
      const { code = 0, errorCode = '' } = (this.told.at(-1)?.data ?? {}) as Partial<SocketRefusal>;
      this.finish({ code: Number(code), reason: errorCode });
    });
  }

  send(event: string, data?: unknown): void {
    this.socket.emit(event, data);
  }

  async askWithAck(event: string, data: unknown): Promise<unknown> {
    return this.socket.timeout(2_000).emitWithAck(event, data) as Promise<unknown>;
  }

  close(): void {
    this.socket.disconnect();
  }
}

export { IoClient, WsClient };
