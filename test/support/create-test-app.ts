import { type INestApplication, type ModuleMetadata } from '@nestjs/common';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppModule, authOptions } from '../../src/app.module.js';
import { APP_OPTIONS, configureApp } from '../../src/app.setup.js';
import { type AuthModuleExtras, type AuthModuleOptions } from '../../src/auth/index.js';
import { loadConfig } from '../../src/app.config.js';
import { type Engine } from '../../src/database/index.js';
import { HashParameters } from '../../src/passwords/password-hasher.js';
import { createTestApp as startTestApp, type TestApp, type TestClock } from '../../src/testing/index.js';
import { testAuthOptions } from '../../src/testing/test-auth-options.js';
import { ADAPTER, type AdapterName, createNamedAdapter } from './adapters.js';
import { createTestDatabase, type TestDatabase } from './engines.js';

export { TestApp, TestLogin, TestUser } from '../../src/testing/index.js';

export interface TestAppOptions {
  engine?: Engine;
  adapter?: AdapterName;
  /** A database that outlives the application, for restarts and second instances. */
  database?: TestDatabase;
  /** The file of a key ring that outlives the application. */
  keysFile?: string;
  clock?: TestClock;
  /** With the hashing cost of production, instead of the kit's. */
  realHashes?: boolean;
  loginName?: 'username' | 'email';
  /** Variables over the defaults. With `SMTP_URL`, mails are sent there and not kept for `app.mails`. */
  env?: Record<string, string>;
  /** What `AuthModule.forRoot` is given over what the variables say: options, each group by itself, and hooks. */
  auth?: Partial<AuthModuleOptions> & AuthModuleExtras;
  /** A team's modules and controllers beside ours. */
  imports?: NonNullable<ModuleMetadata['imports']>;
  controllers?: NonNullable<ModuleMetadata['controllers']>;
  /** What else a `main.ts` does, before it listens. */
  configure?: (app: INestApplication) => void;
}

/** This application, by the test kit: on a real port, with a database and keys of its own and a clock that tests move. */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const {
    engine = 'sqlite',
    adapter = ADAPTER,
    auth,
    env,
    imports,
    controllers,
    clock,
    realHashes,
    loginName = 'username',
  } = options;
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-test-'));
  const database = options.database ?? (await createTestDatabase(engine));
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    AUTH_KEYS_FILE: options.keysFile ?? join(folder, 'keys.json'),
    LOGIN_NAME: loginName,
    // Swagger UI takes a fifth of the start. Tests of it switch it on.
    OPENAPI: 'off',
    PAGES: 'off',
    ...env,
  });
  return startTestApp({
    root: AppModule.forRoot(config, testAuthOptions(authOptions(config), auth)),
    ...(imports && { imports }),
    ...(controllers && { controllers }),
    ...(clock && { clock }),
    // In production without SMTP_URL mail is off, which the kit would not be.
    realMail: env?.['SMTP_URL'] !== undefined || env?.['NODE_ENV'] === 'production',
    ...(realHashes && {
      override: (builder) => builder.overrideProvider(HashParameters).useClass(HashParameters),
    }),
    adapter: await createNamedAdapter(adapter, config.server.trustedProxies),
    applicationOptions: APP_OPTIONS,
    configure: (app) => {
      configureApp(app, config);
      options.configure?.(app);
    },
    onClosed: async () => {
      if (!options.database) await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}
