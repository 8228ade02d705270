import { Logger } from '@nestjs/common';
import { type IncomingMessage } from 'node:http';
import { BlockList, isIPv6 } from 'node:net';
import { canonicalAddress } from './client-address.js';

const HOUR = 60 * 60 * 1000;

/** Tells whether a hop of `X-Forwarded-For`, or the peer of the connection, is one of our proxies. */
export type TrustsHop = (hop: string | undefined) => boolean;

/**
 * For Fastify's `trustProxy` and Express's `trust proxy`, which would not recognise a hop with a port (`10.1.2.3:5678`,
 * `[::1]:80`).
 * @param networks addresses and networks like `10.0.0.0/8`
 */
export function trustProxies(networks: readonly string[]): TrustsHop {
  const trusted = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIPv6(address) ? 'ipv6' : 'ipv4';
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, Number(bits), family);
  }
  return (hop) => {
    const address = canonicalAddress(hop);
    return address !== null && trusted.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  };
}

/**
 * Warns at most once an hour about `X-Forwarded-For` from a peer that is not trusted: either `TRUSTED_PROXIES` lacks
 * our proxy, and all its clients share one address and its limits, or a client claims another address.
 */
export class UntrustedForwarding {
  private readonly logger = new Logger('TrustedProxies');
  private silentUntil = -Infinity;

  constructor(
    private readonly trusts: TrustsHop,
    private readonly now: () => number = () => performance.now(),
  ) {}

  notice({ headers, socket }: IncomingMessage): void {
    if (headers['x-forwarded-for'] === undefined || this.now() < this.silentUntil) return;
    const peer = socket.remoteAddress;
    if (this.trusts(peer)) return;
    this.silentUntil = this.now() + HOUR;
    this.logger.warn(
      `ignored X-Forwarded-For from ${canonicalAddress(peer) ?? 'an unknown address'}, which is not in ` +
        'TRUSTED_PROXIES; if it is your proxy, add it, or all its clients share one address and its rate limits',
    );
  }
}
