import {
  createServer,
  request as send,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { type AddressInfo } from 'node:net';

/** What happens to one exchange. */
export type Fate =
  | 'pass'
  /** The server never hears of it. */
  | 'lose-request'
  /** The server acts, and its answer never arrives. */
  | 'lose-answer'
  /** The server receives it twice, and the second answer arrives. */
  | 'double'
  /** The answer takes 150 ms. */
  | 'delay';

export interface Exchange {
  method: string;
  path: string;
}

const DELAY = 150;

/** A network between a client and the server that loses, delays and doubles, as `fateOf` decides. */
export class UnreliableProxy {
  readonly seen: Exchange[] = [];
  fateOf: (exchange: Exchange) => Fate = () => 'pass';
  /** A script that is sent in place of the server's answer. */
  scriptOf: (path: string) => string | undefined = () => undefined;
  private readonly server: Server;

  private constructor(private readonly target: string) {
    this.server = createServer((request, response) => void this.handle(request, response));
  }

  static async to(target: string, port = 0): Promise<UnreliableProxy> {
    const proxy = new UnreliableProxy(target);
    await new Promise<void>((resolve) => proxy.server.listen(port, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  count(path: string): number {
    return this.seen.filter((exchange) => exchange.path === path).length;
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const exchange = { method: request.method ?? '', path: (request.url ?? '').split('?')[0] ?? '' };
    const script = this.scriptOf(exchange.path);
    if (script !== undefined)
      return void response.writeHead(200, { 'Content-Type': 'text/javascript' }).end(script);
    this.seen.push(exchange);
    const body = Buffer.concat(await request.toArray());
    const fate = this.fateOf(exchange);
    if (fate === 'lose-request') return void request.socket.destroy();
    if (fate === 'double') await this.forward(request, body);
    const answer = await this.forward(request, body);
    if (fate === 'lose-answer') return void request.socket.destroy();
    if (fate === 'delay') await new Promise((resolve) => setTimeout(resolve, DELAY));
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  private forward({ method, url, headers }: IncomingMessage, body: Buffer) {
    return new Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }>(
      (resolve, reject) => {
        const onAnswer = (answer: IncomingMessage) =>
          void answer.toArray().then(
            (parts) =>
              resolve({
                status: answer.statusCode ?? 0,
                headers: answer.headers,
                body: Buffer.concat(parts),
              }),
            reject,
          );
        send(this.target + (url ?? ''), { method, headers, agent: false }, onAnswer)
          .on('error', reject)
          .end(body);
      },
    );
  }
}
