import { Global, Module } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { MessageBinding } from './message-binding.js';
import { MessageTransport } from './message-transport.js';
import { MessageGuard } from './message.guard.js';
import { RefusedMessageFilter } from './refused-message.js';

/**
 * Protects message handlers (`@MessagePattern`, `@EventPattern`, `@GrpcMethod` …) by the decorators of routes, in
 * microservices and hybrid applications. Import it beside `AuthModule`.
 */
@Global()
@Module({
  imports: [DiscoveryModule],
  providers: [MessageTransport, MessageGuard, RefusedMessageFilter, MessageBinding],
  // Nest creates the enhancers of a controller in the controller's module, which needs their dependencies.
  exports: [MessageTransport, MessageGuard, RefusedMessageFilter],
})
export class MessagesModule {}
