import { Injectable } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import {
  ADAPTED_TRANSPORT,
  type AdaptedTransport,
  type HandlerKind,
  type TransportAdapter,
} from './transport-adapter.js';

/** The transports besides HTTP that the application's modules bring to the guard. */
@Injectable()
export class Transports {
  private readonly adapters = new Map<string, TransportAdapter>();

  constructor(private readonly discovery: DiscoveryService) {}

  /** Whether the guard protects handlers of this kind. Known before any provider exists. */
  protects(kind: HandlerKind): boolean {
    return kind === 'http' || this.adapted().some(({ handlers }) => handlers.includes(kind));
  }

  /** Returns the adapter of a type of context, or undefined. */
  find(type: string): TransportAdapter | undefined {
    const known = this.adapters.get(type);
    if (known) return known;
    const adapter = this.adapted().find((each) => each.type === type)?.adapter;
    if (adapter) this.adapters.set(type, adapter);
    return adapter;
  }

  private adapted(): (AdaptedTransport & { adapter: TransportAdapter | undefined })[] {
    return this.discovery.getProviders().flatMap((wrapper) => {
      const { metatype, instance } = wrapper as { metatype: unknown; instance: unknown };
      if (typeof metatype !== 'function') return [];
      const adapted = Reflect.getMetadata(ADAPTED_TRANSPORT, metatype) as AdaptedTransport | undefined;
      return adapted ? [{ ...adapted, adapter: instance as TransportAdapter | undefined }] : [];
    });
  }
}
