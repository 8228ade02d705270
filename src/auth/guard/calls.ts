import { type INestApplicationContext } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { type HandlerKind } from '../transports/transport-adapter.js';
import { type Handler, handlersOf, methodOf } from './handlers.js';
import { inheritsPolicy, type RoutePolicy, routePolicyOf } from './route-policies.js';

/** A handler of another transport than HTTP. */
export interface ListedCall extends RoutePolicy {
  /** `QUERY`, `FIELD`, `MESSAGE`, `EVENT`, `WEBSOCKET` … */
  method: string;
  /** What callers name: the operation, `Type.field`, the pattern. */
  path: string;
  /** `ItemsResolver.items`. */
  handler: string;
  /** Whether it has the protection of its operation: true for a GraphQL field that declares none. */
  inherits: boolean;
}

/** Metadata of Nest's packages, by value: an application has only some of them installed. */
const RESOLVER_TYPE = 'graphql:resolver_type';
const RESOLVER_NAME = 'graphql:resolver_name';
const PATTERN = 'microservices:pattern';
const HANDLER_TYPE = 'microservices:handler_type';
const EVENT_HANDLER = 2;
const MESSAGE = 'message';
const GATEWAY_OPTIONS = 'websockets:gateway_options';

/** Names a handler as its callers do. */
const NAME_OF: Record<
  Exclude<HandlerKind, 'http'>,
  (method: Function, handler: Handler) => [string, string]
> = {
  resolver: (method, { metatype, member }) => {
    const type = read(RESOLVER_TYPE, method);
    return type === undefined
      ? ['REFERENCE', textOf(read(RESOLVER_NAME, metatype) ?? metatype.name)]
      : [textOf(type).toUpperCase(), textOf(read(RESOLVER_NAME, method) ?? member)];
  },
  field: (method, { metatype, member }) => {
    const name = textOf(read(RESOLVER_NAME, method) ?? member);
    const type = read(RESOLVER_NAME, metatype);
    return ['FIELD', type === undefined ? name : `${textOf(type)}.${name}`];
  },
  message: (method) => {
    const patterns = [read(PATTERN, method)].flat().map(textOf);
    return [read(HANDLER_TYPE, method) === EVENT_HANDLER ? 'EVENT' : 'MESSAGE', patterns.join(', ')];
  },
  gateway: (method, { metatype }) => {
    const { namespace } = Object(read(GATEWAY_OPTIONS, metatype)) as { namespace?: unknown };
    const event = textOf(read(MESSAGE, method));
    return ['WEBSOCKET', namespace === undefined ? event : `${textOf(namespace)} ${event}`];
  },
};

/** Every handler that no route calls, with its protection, sorted by kind and name. */
export function listCalls(app: INestApplicationContext): ListedCall[] {
  return handlersOf(app.get(DiscoveryService, { strict: false }))
    .flatMap((handler) => {
      const { kind, prototype, member, name } = handler;
      const method = methodOf(prototype, member);
      if (kind === 'http' || !method) return [];
      const [verb, path] = NAME_OF[kind](method, handler);
      const inherits = inheritsPolicy(prototype, member);
      return [{ method: verb, path, handler: name, inherits, ...routePolicyOf(prototype, member) }];
    })
    .toSorted((a, b) => a.method.localeCompare(b.method) || a.path.localeCompare(b.path));
}

function read(key: string, target: object): unknown {
  return Reflect.getMetadata(key, target);
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
