import { type INestApplicationContext, RequestMethod } from '@nestjs/common';
import { METHOD_METADATA, PATH_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner, Reflector } from '@nestjs/core';
import { type AuthPolicy, policyOf } from './auth-policy.js';
import { rolesOf } from '../roles/roles.decorator.js';

export interface Route {
  method: string;
  /** As declared, with `:parameters`. */
  path: string;
  /** `ProfileController.show`. */
  handler: string;
  policy: AuthPolicy;
  /** Of which any one is needed; empty where none is. */
  roles: readonly string[];
}

/** Every route of the application with its protection, sorted by path. */
export function listRoutes(app: INestApplicationContext): Route[] {
  return routesOf(app.get(DiscoveryService, { strict: false }), app.get(Reflector));
}

export function routesOf(discovery: DiscoveryService, reflector: Reflector): Route[] {
  const scanner = new MetadataScanner();
  return discovery
    .getControllers()
    .flatMap(({ metatype }) => {
      if (typeof metatype !== 'function') return [];
      const prototype = metatype.prototype as Record<string, Function>;
      return scanner.getAllMethodNames(prototype).flatMap((name) => {
        const handler = prototype[name];
        if (!handler || !Reflect.hasMetadata(METHOD_METADATA, handler)) return [];
        const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as RequestMethod];
        const policy = policyOf(reflector, handler, metatype);
        const roles = rolesOf(reflector, handler, metatype);
        return pathsOf(metatype, handler).map((path) => ({
          method,
          path,
          handler: `${metatype.name}.${name}`,
          policy,
          roles,
        }));
      });
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
