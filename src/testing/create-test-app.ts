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
import { AccountsModule, type AccountsOptions } from '../accounts/index.js';
import { DatabaseModule, openDatabase } from '../database/index.js';
import { generateKeySet } from '../keys/key-file.js';
import { HashParameters } from '../passwords/password-hasher.js';
import { Mailer, MailModule } from '../mail/index.js';
import { TestApp } from './test-app.js';
import { testAuthOptions } from './test-auth-options.js';
import { TestClock } from './test-clock.js';
import { TestMailer } from './test-mails.js';

export interface TestAppOptions extends Pick<ModuleMetadata, 'imports' | 'controllers' | 'providers'> {
  /**
   * A whole application that imports `AuthModule` and `DatabaseModule` itself. Tests create their users in its database.
   * Without it, the kit provides both.
   */
  root?: NonNullable<ModuleMetadata['imports']>[number];
  /** Options and hooks of the kit's `AuthModule`. */
  auth?: Partial<AuthModuleOptions> & AuthModuleExtras;
  /** The URL of the kit's database, as for `openDatabase`. Default: in memory. */
  databaseUrl?: string;
  clock?: TestClock;
  /** Default: Fastify. */
  adapter?: AbstractHttpAdapter;
  applicationOptions?: NestApplicationOptions;
  /** Replaces providers, as in Nest's testing module. */
  override?: (builder: TestingModuleBuilder) => TestingModuleBuilder;
  /** What `main.ts` does between creating the application and listening. Default: sets the validation pipe. */
  configure?: (app: INestApplication) => void;
  /** Adds registration, addresses and mail to what the kit provides, as `LOGIN_NAME` does; see `app.mails`. */
  loginName?: AccountsOptions['loginName'];
  /** Lets the application's own `Mailer` send. Without it mails are kept for `app.mails`. */
  realMail?: boolean;
  /** Closes resources of the test. Also called if the application does not start. */
  onClosed?: () => Promise<void>;
}

/** The minimum that argon2 allows: a hash takes less than a millisecond instead of twenty. */
const CHEAP_HASHES: HashParameters = { ...new HashParameters(), memoryCost: 8, timeCost: 1 };

/**
 * Starts an application on a free port: the modules under test with a real `AuthModule`, an in-memory database, new keys,
 * cheap password hashes, and a clock that tests move. Close it after the tests.
 * @throws TypeError for options that `root` sets itself
 */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { clock = new TestClock(), adapter = new FastifyAdapter(), onClosed = async () => {} } = options;
  const mailer = new TestMailer();
  let app: INestApplication | undefined;
  try {
    const builder = builderOf(options).overrideProvider(Clock).useValue(clock);
    if (options.realMail !== true) builder.overrideProvider(Mailer).useValue(mailer);
    const testing = await builder.compile();
    // Fastify parses JSON by itself. Nest would add forms, which pages of other sites can send.
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
  const close = async () => {
    await started.close();
    await onClosed();
  };
  return new TestApp(started, clock, close, mailer);
}

function builderOf(options: TestAppOptions): TestingModuleBuilder {
  const { root, auth, databaseUrl, imports = [], controllers = [], providers = [] } = options;
  const { override = (same) => same } = options;
  if (root && (auth || databaseUrl !== undefined || options.loginName !== undefined))
    throw new TypeError('auth, databaseUrl and loginName cannot be combined with root, which brings its own');
  return override(
    Test.createTestingModule({
      imports: [...(root ? [root] : authOn(options)), ...imports],
      controllers,
      providers,
    })
      .overrideProvider(HashParameters)
      .useValue(CHEAP_HASHES),
  );
}

function authOn({
  auth,
  databaseUrl = ':memory:',
  loginName,
}: TestAppOptions): NonNullable<ModuleMetadata['imports']> {
  const registers = loginName === undefined;
  return [
    DatabaseModule.forRoot(openDatabase(databaseUrl)),
    AuthModule.forRoot({ ...testAuthOptions({ keys: generateKeySet() }, auth), registers }),
    ...(registers ? [] : accountsOn(loginName)),
  ];
}

function accountsOn(loginName: AccountsOptions['loginName']): NonNullable<ModuleMetadata['imports']> {
  return [
    MailModule.forRoot({ smtpUrl: undefined, from: undefined, production: false }),
    AccountsModule.forRoot({ loginName, noticesOff: [], appUrl: 'http://localhost:3000' }),
  ];
}
