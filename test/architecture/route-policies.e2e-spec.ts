import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { listRoutes, type Route } from '../../src/auth/index.js';
import { formatDuration } from '../../src/tokens/duration.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';

function describePolicy({ policy, roles }: Route): string {
  const details = Object.entries(policy)
    .filter(([name, value]) => name !== 'level' && value !== false)
    .map(([name, value]) => (name === 'maxAge' ? `${name} ${formatDuration(Number(value))}` : name));
  if (roles.length > 0) details.push(`role ${roles.join(' or ')}`);
  return [policy.level, ...details].join(', ');
}

/** The kinds of parameter that the validation pipe sees, by the number that Nest gives them. */
const VALIDATED = { 3: '@Body', 4: '@Query', 5: '@Param' } as const;

describe('the routes', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  it('#29 #90 are open to exactly these: a change here changes who may enter, review it as a change of permissions', () => {
    const table = listRoutes(api.app).map(
      (route) => `${route.method} ${route.path} → ${describePolicy(route)}`,
    );
    expect(table).toMatchSnapshot();
  });

  it('are served at the paths that the table says', () => {
    const server = api.app.getHttpAdapter().getInstance();
    for (const { method, path } of listRoutes(api.app)) {
      expect([path, server.hasRoute({ method: method as 'GET', url: path })]).toEqual([path, true]);
    }
  });

  it('validate what they read: no body, query or parameter is of the type Object', () => {
    const holes: string[] = [];
    const scanner = new MetadataScanner();
    for (const { metatype } of api.app.get(DiscoveryService, { strict: false }).getControllers()) {
      if (typeof metatype !== 'function') continue;
      const prototype = metatype.prototype as object;
      for (const name of scanner.getAllMethodNames(prototype)) {
        const types = (Reflect.getMetadata('design:paramtypes', prototype, name) ?? []) as unknown[];
        const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, metatype, name) ?? {}) as Record<
          string,
          { index: number }
        >;
        for (const [key, { index }] of Object.entries(args)) {
          const kind = VALIDATED[Number(key.split(':')[0]) as keyof typeof VALIDATED];
          if (kind && (types[index] === Object || types[index] === undefined))
            holes.push(`${metatype.name}.${name} ${kind}`);
        }
      }
    }
    // `import type { SomeDto }` compiles, and switches its validation off.
    expect(holes).toEqual([]);
  });
});
