import { type WebSocketAdapter } from '@nestjs/common';
import { parseDuration } from '../time/duration.js';

export interface GatewaysSettings {
  /** Creates the adapter of the gateways: `(server) => new WsAdapter(server)`, or `new IoAdapter(server)`. */
  adapter: (httpServer: object) => WebSocketAdapter;
  /**
   * How long a connection may stay without a token, as a duration; false: for ever, for gateways with public messages.
   * Default: `'10s'`.
   */
  authenticateWithin?: string | false;
}

/** A class, so that it is its own DI token. */
export class GatewaysOptions {
  readonly adapter: GatewaysSettings['adapter'];
  /** Milliseconds, or null for ever. */
  readonly authenticateWithin: number | null;

  /** @throws RangeError for a value that is not a duration, or is zero */
  constructor({ adapter, authenticateWithin = '10s' }: GatewaysSettings) {
    this.adapter = adapter;
    this.authenticateWithin = authenticateWithin === false ? null : parseDuration(authenticateWithin);
    if (this.authenticateWithin === 0) throw new RangeError('authenticateWithin must be longer than 0s');
  }
}
