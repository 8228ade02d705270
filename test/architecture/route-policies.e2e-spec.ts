import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AuthOptions } from '../../src/auth/index.js';
import { listRoutes } from '../../src/auth/internals.js';
import {
  describeDocuments,
  describeRoutes,
  formatRoutes,
  type RouteDescription,
} from '../../src/cli/route-table.js';
import { createAdapter } from '../../src/http/adapter.js';
import { AppModule, authOptions } from '../../src/app.module.js';
import { APP_OPTIONS, configureApp } from '../../src/app.setup.js';
import { loadConfig } from '../../src/app.config.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { SERVED_DOCUMENTS } from '../../src/openapi/served-documents.js';
import { createTestApp as startTestApp } from '../../src/testing/index.js';
import { testAuthOptions } from '../../src/testing/test-auth-options.js';
import { builtFile, makeFolder } from '../support/server-process.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';

const execute = promisify(execFile);

/** A line for each route, without columns: a route that comes or goes changes no other line. */
function lineOf({ method, path, needs, roles, maxAge, once, locations, notes }: RouteDescription): string {
  const details = [
    needs,
    ...(maxAge === null ? [] : [`max age ${maxAge}`]),
    ...(once ? ['once'] : []),
    ...notes,
    ...(locations ? [`from ${locations.join(', ')}`] : []),
    ...(roles.length > 0 ? [`role ${roles.join(' or ')}`] : []),
  ];
  return `${method} ${path} → ${details.join(', ')}`;
}

function describeEverything(api: TestApp): RouteDescription[] {
  const routes = describeRoutes(listRoutes(api.app), api.get(AuthOptions).freshMaxAge);
  return [...routes, ...describeDocuments(SERVED_DOCUMENTS)];
}

/** The kinds of parameter that the validation pipe sees, by the number that Nest gives them. */
const VALIDATED = { 3: '@Body', 4: '@Query', 5: '@Param' } as const;

describe('the routes', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ env: { PAGES: 'on' } });
  });
  afterAll(() => api.close());

  it('have these policies: review a change here as a change of permissions', () => {
    expect(describeEverything(api).map(lineOf)).toMatchSnapshot();
  });

  it('are listed in the same way by `npm run routes`, which opens no database and makes no keys', async () => {
    const folder = makeFolder();
    const run = async (env: Record<string, string>, ...args: string[]) =>
      (await execute(process.execPath, [builtFile('cli/routes.js'), ...args], { cwd: folder, env })).stdout;
    const routes = describeEverything(api);
    expect(JSON.parse(await run({}, '--json'))).toEqual(routes);
    expect(await run({ OPENAPI: 'off' })).toBe(
      formatRoutes(routes.filter(({ handler }) => handler !== null)),
    );
    expect(readdirSync(folder)).toEqual([]);
    await expect(run({}, 'profile')).rejects.toThrow('Unexpected: profile');
  });

  it('are served at the paths that the table says', () => {
    const server = api.app.getHttpAdapter().getInstance();
    for (const { method, path } of listRoutes(api.app)) {
      expect([path, server.hasRoute({ method: method as 'GET', url: path })]).toEqual([path, true]);
    }
  });

  it('are complete: the server has exactly the routes that the table lists', async () => {
    const served = new Set<string>();
    const adapter = createAdapter();
    adapter.getInstance().addHook('onRoute', ({ method, url }) => {
      for (const each of [method].flat()) if (each !== 'HEAD') served.add(`${each} ${url}`);
    });
    const config = loadConfig({ NODE_ENV: 'test', DATABASE_URL: ':memory:' });
    const all = await startTestApp({
      root: AppModule.forRoot(config, testAuthOptions({ ...authOptions(config), keys: generateKeySet() })),
      adapter,
      applicationOptions: APP_OPTIONS,
      configure: (app) => configureApp(app, config),
    });
    await all.close();
    const listed = describeEverything(api).map(({ method, path }) => `${method} ${path}`);
    const under = (route: string) =>
      listed.some((each) => each.endsWith('/*') && route.startsWith(each.slice(0, -1)));
    expect([...served].filter((route) => !listed.includes(route) && !under(route))).toEqual([]);
    expect(listed.filter((route) => !served.has(route))).toEqual([]);
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
