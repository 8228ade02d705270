import { METHOD_METADATA } from '@nestjs/common/constants.js';
import { type DiscoveryService } from '@nestjs/core';
import { lineageOf } from '../declarations.js';
import { type HandlerKind } from '../transports/transport-adapter.js';

/**
 * The metadata by which Nest's packages find handlers. By value: an application has only some of these packages
 * installed.
 */
const KIND_OF_METADATA: readonly (readonly [key: string, kind: HandlerKind])[] = [
  [METHOD_METADATA, 'http'],
  // @nestjs/microservices
  ['microservices:pattern', 'message'],
  // @nestjs/websockets
  ['websockets:message_mapping', 'gateway'],
  // @nestjs/graphql
  ['graphql:resolver_type', 'resolver'],
  ['graphql:resolve_property', 'field'],
  // Called by the router of a federation, outside any operation of ours.
  ['graphql:resolve_reference', 'resolver'],
];

/** A method that Nest calls for a request or a message. */
export interface Handler {
  /** The class in the module, after all class decorators. */
  metatype: Function;
  prototype: object;
  member: string;
  /** `ProfileController.show`. */
  name: string;
  kind: HandlerKind;
}

/** Lists how a method is called, which may be a route and a message handler at once; empty if it is no handler. */
export function kindsOf(prototype: object, member: string | symbol): HandlerKind[] {
  const method = methodOf(prototype, member);
  if (!method) return [];
  const keys = Reflect.getMetadataKeys(method);
  return KIND_OF_METADATA.filter(([key]) => keys.includes(key)).map(([, kind]) => kind);
}

/** Never reads a getter, which might run code that expects an instance. */
export function methodOf(prototype: object, member: string | symbol): Function | undefined {
  for (const each of lineageOf(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(each, member);
    if (descriptor)
      return typeof descriptor.value === 'function' ? (descriptor.value as Function) : undefined;
  }
  return undefined;
}

/** The names of all methods of a class and its bases, each once. */
export function methodNamesOf(prototype: object): string[] {
  const names = lineageOf(prototype).flatMap((each) => Object.getOwnPropertyNames(each));
  return [...new Set(names)].filter(
    (name) => name !== 'constructor' && methodOf(prototype, name) !== undefined,
  );
}

/** Every handler of the application: of controllers, and of providers such as gateways and resolvers. */
export function handlersOf(discovery: DiscoveryService): Handler[] {
  const classes = new Set([...discovery.getControllers(), ...discovery.getProviders()].flatMap(classOf));
  return [...classes].flatMap((metatype) => {
    const prototype = metatype.prototype as object;
    return methodNamesOf(prototype).flatMap((member) =>
      kindsOf(prototype, member).map((kind) => ({
        metatype,
        prototype,
        member,
        name: `${metatype.name}.${member}`,
        kind,
      })),
    );
  });
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];

/** A provider from a factory or a value has the class of its instance, once it exists. */
function classOf({ metatype, inject, instance }: Wrapper): Function[] {
  if (typeof metatype === 'function' && !inject) return hasPrototype(metatype) ? [metatype] : [];
  const made: unknown = instance;
  if (typeof made !== 'object' || made === null) return [];
  const { constructor } = made;
  return typeof constructor === 'function' && hasPrototype(constructor) ? [constructor] : [];
}

function hasPrototype({ prototype }: Function): boolean {
  return typeof prototype === 'object' && prototype !== null;
}
