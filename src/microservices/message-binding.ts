import { Injectable, type Type } from '@nestjs/common';
import {
  EXCEPTION_FILTERS_METADATA,
  GUARDS_METADATA,
  INTERCEPTORS_METADATA,
} from '@nestjs/common/constants.js';
import { DiscoveryService } from '@nestjs/core';
import { handlersOf } from '../auth/internals.js';
import { MessageGuard } from './message.guard.js';
import { RefusedMessageFilter } from './refused-message.js';

/**
 * Binds the guard to every controller that handles messages, as `@UseGuards` would. Nest ignores the global guards of a
 * hybrid application in a microservice that does not inherit its configuration; those of a controller it always calls.
 * In a constructor, because listeners are registered by `connectMicroservice`, before any lifecycle hook.
 */
@Injectable()
export class MessageBinding {
  constructor(discovery: DiscoveryService, guard: MessageGuard, filter: RefusedMessageFilter) {
    const classes = new Set<Function>(
      handlersOf(discovery)
        .filter(({ kind }) => kind === 'message')
        .map(({ metatype }) => metatype),
    );
    for (const { metatype, host } of discovery.getControllers()) {
      if (!metatype || !classes.has(metatype)) continue;
      // Metadata belongs to the class, which several applications of a process may have; each has its own instances.
      host?.addInjectable({ provide: MessageGuard, useValue: guard }, 'guard');
      host?.addInjectable({ provide: RefusedMessageFilter, useValue: filter }, 'filter');
      bindFirst(GUARDS_METADATA, MessageGuard, metatype);
      bindFirst(INTERCEPTORS_METADATA, MessageGuard, metatype);
      bindFirst(EXCEPTION_FILTERS_METADATA, RefusedMessageFilter, metatype);
    }
  }
}

/** Puts it before the controller's own enhancers, which may need the user. */
function bindFirst(key: string, enhancer: Type, controller: Function): void {
  const bound = (Reflect.getMetadata(key, controller) ?? []) as unknown[];
  if (!bound.includes(enhancer)) Reflect.defineMetadata(key, [enhancer, ...bound], controller);
}
