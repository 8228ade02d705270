import { type INestApplicationContext, RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService } from '@nestjs/core';
import { handlersOf, methodOf } from './handlers.js';
import { type RoutePolicy, routePolicyOf } from './route-policies.js';

export interface Route extends RoutePolicy {
  method: string;
  /** As declared, with `:parameters`. */
  path: string;
  /** `ProfileController.show`. */
  handler: string;
}

/** Every route of the application with its protection, sorted by path. */
export function listRoutes(app: INestApplicationContext): Route[] {
  const discovery = app.get(DiscoveryService, { strict: false });
  const controllers = new Set(discovery.getControllers().map(({ metatype }) => metatype as unknown));
  return handlersOf(discovery)
    .filter(({ metatype, kind }) => kind === 'http' && controllers.has(metatype))
    .flatMap(({ metatype, prototype, member, name }) => {
      const handler = methodOf(prototype, member);
      if (!handler) return [];
      const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];
      const policy = routePolicyOf(prototype, member);
      return pathsOf(metatype, handler).map((path) => ({ method, path, handler: name, ...policy }));
    })
    .toSorted((a, b) => a.path.localeCompare(b.path) || a.method.localeCompare(b.method));
}

function pathsOf(controller: Function, handler: Function): string[] {
  const [prefixes, paths] = [controller, handler].map((target) => {
    const path = Reflect.getMetadata(PATH_METADATA, target) as string | string[];
    return Array.isArray(path) ? path : [path];
  });
  return (prefixes ?? []).flatMap((prefix) =>
    (paths ?? []).map((path) => `/${prefix}/${path}`.replace(/\/+/g, '/').replace(/(.)\/$/, '$1')),
  );
}
