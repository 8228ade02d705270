import { type INestApplication, type ModuleMetadata, type NestApplicationOptions } from '@nestjs/common';
import { type AbstractHttpAdapter } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { AuthModule, type AuthModuleExtras, type AuthModuleOptions, Clock } from '../auth/index.js';
import { DatabaseModule, openDatabase } from '../database/index.js';
import { generateKeySet } from '../tokens/key-file.js';
import { TestApp } from './test-app.js';
import { testAuthOptions } from './test-auth-options.js';
import { TestClock } from './test-clock.js';

export interface TestAppOptions extends Pick<ModuleMetadata, 'imports' | 'controllers' | 'providers'> {
  /** A whole application, which imports `AuthModule` and `DatabaseModule` itself. Without it, the kit brings both. */
  root?: NonNullable<ModuleMetadata['imports']>[number];
  /** Options of `AuthModule` and hooks, where the kit brings it; `DATABASE_URL`'s syntax names its database. */
  auth?: Partial<AuthModuleOptions> & AuthModuleExtras;
  databaseUrl?: string;
  clock?: TestClock;
  /** Fastify's, unless another is given. */
  adapter?: AbstractHttpAdapter;
  applicationOptions?: NestApplicationOptions;
  /** Providers to be replaced, as the Nest testing module does it. */
  override?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
  /** What `main.ts` does between making the application and listening. */
  configure?: (app: INestApplication) => void;
  /** What the test brought along and the application does not close. */
  onClosed?: () => Promise<void>;
}

/**
 * Starts an application on a port of its own, with a clock that tests move: the modules under test beside a real
 * `AuthModule`, on a database in memory and with keys made for it. Close it when the tests are over.
 */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { clock = new TestClock(), imports = [], controllers = [], providers = [] } = options;
  const { root, override = (same) => same, applicationOptions = {} } = options;
  const builder = Test.createTestingModule({
    imports: [...(root ? [root] : authOn(options)), ...imports],
    controllers,
    providers,
  });
  const testing = await override(builder.overrideProvider(Clock).useValue(clock)).compile();
  const app = testing.createNestApplication(options.adapter ?? new FastifyAdapter(), {
    logger: false,
    ...applicationOptions,
  });
  options.configure?.(app);
  await app.listen(0, '127.0.0.1');
  return new TestApp(app, clock, async () => {
    await app.close();
    await options.onClosed?.();
  });
}

function authOn({ auth, databaseUrl = ':memory:' }: TestAppOptions): NonNullable<ModuleMetadata['imports']> {
  return [
    DatabaseModule.forRoot(openDatabase(databaseUrl)),
    AuthModule.forRoot(testAuthOptions({ keys: generateKeySet() }, auth)),
  ];
}
