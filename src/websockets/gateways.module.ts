import { type DynamicModule, Module, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, DiscoveryService } from '@nestjs/core';
import { MESSAGE_METADATA } from '@nestjs/websockets/constants.js';
import { type Handler, handlersOf, methodOf, routePolicyOf } from '../auth/internals.js';
import { GatewayErrors } from './gateway-errors.interceptor.js';
import { GatewayTransport } from './gateway.transport.js';
import { GatewaysOptions, type GatewaysSettings } from './gateways.options.js';
import { AUTHENTICATE, ProtectedAdapter } from './protected.adapter.js';
import { Sockets } from './sockets.js';

/** Protects the messages of the application's gateways by their declarations: `GatewaysModule.forRoot({ adapter })`. */
@Module({ imports: [DiscoveryModule] })
export class GatewaysModule implements OnModuleInit {
  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws RangeError for an invalid `authenticateWithin` */
  static forRoot(settings: GatewaysSettings): DynamicModule {
    return {
      module: GatewaysModule,
      global: true,
      providers: [
        { provide: GatewaysOptions, useValue: new GatewaysOptions(settings) },
        Sockets,
        ProtectedAdapter,
        GatewayTransport,
        GatewayErrors,
      ],
      exports: [Sockets],
    };
  }

  /** @throws Error that names a handler whose declaration no message can fulfil, or that handles our own message */
  onModuleInit(): void {
    for (const handler of handlersOf(this.discovery))
      if (handler.kind === 'gateway') requireReachable(handler);
  }
}

function requireReachable({ prototype, member, name }: Handler): void {
  const { level } = routePolicyOf(prototype, member).policy;
  if (level === 'refresh' || level === 'access-or-refresh')
    throw new Error(
      `${name} declares ${level}, but a socket has access tokens only: declare @Access() or @FreshAccess()`,
    );
  const method = methodOf(prototype, member);
  if (method && Reflect.getMetadata(MESSAGE_METADATA, method) === AUTHENTICATE)
    throw new Error(
      `${name} takes the message "${AUTHENTICATE}", which gives a connection its token: choose another name`,
    );
}
