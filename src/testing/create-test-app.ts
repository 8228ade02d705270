import { type INestApplication, type ModuleMetadata, type NestApplicationOptions } from '@nestjs/common';
import { type AbstractHttpAdapter } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import {
  AuthModule,
  type AuthModuleExtras,
  type AuthModuleOptions,
  Clock,
  createValidationPipe,
} from '../auth/index.js';
import { DatabaseModule, openDatabase } from '../database/index.js';
import { generateKeySet } from '../keys/key-file.js';
import { TestApp } from './test-app.js';
import { testAuthOptions } from './test-auth-options.js';
import { TestClock } from './test-clock.js';

export interface TestAppOptions extends Pick<ModuleMetadata, 'imports' | 'controllers' | 'providers'> {
  /**
   * A whole application, which imports `AuthModule` and `DatabaseModule` itself: on its own database, in which the tests
   * then make their users. Without it, the kit brings both.
   */
  root?: NonNullable<ModuleMetadata['imports']>[number];
  /** Options and hooks of the `AuthModule` that the kit brings. */
  auth?: Partial<AuthModuleOptions> & AuthModuleExtras;
  /** The database that the kit brings, as `openDatabase` takes it; in memory, unless another is named. */
  databaseUrl?: string;
  clock?: TestClock;
  /** Fastify's, unless another is given. */
  adapter?: AbstractHttpAdapter;
  applicationOptions?: NestApplicationOptions;
  /** Providers to be replaced, as the Nest testing module does it. */
  override?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
  /** What `main.ts` does between making the application and listening. By default, the pipe that validates. */
  configure?: (app: INestApplication) => void;
  /** What the test brought along and the application does not close. Also called when it does not start. */
  onClosed?: () => Promise<void>;
}

/**
 * Starts an application on a port of its own, with a clock that tests move: the modules under test beside a real
 * `AuthModule`, on a database in memory and with keys made for it. Close it when the tests are over.
 * @throws TypeError for options of what `root` brings itself
 */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { clock = new TestClock(), adapter = new FastifyAdapter(), onClosed = async () => {} } = options;
  let app: INestApplication | undefined;
  try {
    const testing = await builderOf(options).overrideProvider(Clock).useValue(clock).compile();
    // Fastify reads JSON by itself; Nest would have it read forms too, which another site's pages can send.
    const bodies = options.adapter ? {} : { bodyParser: false };
    app = testing.createNestApplication(adapter, {
      logger: false,
      routeConflictPolicy: { duplicate: 'error' },
      ...bodies,
      ...options.applicationOptions,
    });
    const { configure = (made) => made.useGlobalPipes(createValidationPipe()) } = options;
    configure(app);
    await app.listen(0, '127.0.0.1');
  } catch (error) {
    await app?.close().catch(() => {});
    await onClosed();
    throw error;
  }
  const started = app;
  return new TestApp(started, clock, async () => {
    await started.close();
    await onClosed();
  });
}

function builderOf(options: TestAppOptions): TestingModuleBuilder {
  const { root, auth, databaseUrl, imports = [], controllers = [], providers = [] } = options;
  const { override = (same) => same } = options;
  if (root && (auth || databaseUrl !== undefined))
    throw new TypeError('auth and databaseUrl are options of what the kit brings, and root brings its own');
  return override(
    Test.createTestingModule({
      imports: [...(root ? [root] : authOn(options)), ...imports],
      controllers,
      providers,
    }),
  );
}

function authOn({ auth, databaseUrl = ':memory:' }: TestAppOptions): NonNullable<ModuleMetadata['imports']> {
  return [
    DatabaseModule.forRoot(openDatabase(databaseUrl)),
    AuthModule.forRoot(testAuthOptions({ keys: generateKeySet() }, auth)),
  ];
}
