import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { MetricsAddressError } from './metrics-address-error.js';
import { Metrics } from './metrics.js';

export const METRICS_ADDRESS = Symbol('metrics address');

export interface MetricsAddress {
  host: string;
  port: number;
}

/** Milliseconds. */
const TIMEOUT_MS = 5_000;
const MAX_CONNECTIONS = 32;

/**
 * `GET /metrics` on a separate port, for the operator's network: it has no guard, and the numbers would show an
 * attacker which guesses were right.
 */
@Injectable()
export class MetricsServer implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('Metrics');
  private readonly server: Server;

  constructor(
    private readonly metrics: Metrics,
    @Inject(METRICS_ADDRESS) private readonly at: MetricsAddress,
  ) {
    this.server = createServer(
      { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS },
      (request, response) => {
        void this.answer(request, response);
      },
    );
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** `http://127.0.0.1:9464/metrics` */
  get url(): string {
    const { address, port, family } = this.server.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`;
  }

  /** @throws MetricsAddressError */
  async onApplicationBootstrap(): Promise<void> {
    try {
      await once(this.server.listen(this.at.port, this.at.host), 'listening');
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException;
      throw new MetricsAddressError(/^(EADDRINUSE|EACCES)$/.test(code) ? 'port' : 'host', error as Error);
    }
    this.logger.log(`metrics on ${this.url}`);
  }

  async onApplicationShutdown(): Promise<void> {
    if (!this.server.listening) return;
    const closed = once(this.server.close(), 'close');
    this.server.closeAllConnections();
    await closed;
  }

  private async answer({ method, url = '' }: IncomingMessage, response: ServerResponse): Promise<void> {
    if (url.split('?')[0] !== '/metrics') {
      response.writeHead(404).end();
    } else if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    } else {
      try {
        const { type, text } = await this.metrics.render();
        response.writeHead(200, { 'Content-Type': type }).end(text);
      } catch (error) {
        this.logger.error('the metrics cannot be read', error);
        response.writeHead(500).end();
      }
    }
  }
}
