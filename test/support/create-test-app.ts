import { type INestApplication, type ModuleMetadata } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { AppModule, authOptions } from '../../src/app.module.js';
import { APP_OPTIONS, configureApp } from '../../src/app.setup.js';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import { type AuthModuleExtras, type AuthModuleOptions } from '../../src/auth/index.js';
import { loadConfig } from '../../src/config/app-config.js';
import { type Engine } from '../../src/database/index.js';
import { Clock } from '../../src/tokens/clock.js';
import { type AdapterName, createNamedAdapter } from './adapters.js';
import { createTestDatabase, type TestDatabase } from './engines.js';
import { ManualClock } from './manual-clock.js';

export interface TestAppOptions {
  engine?: Engine;
  adapter?: AdapterName;
  /** A database that outlives the application, for restarts and second instances. */
  database?: TestDatabase;
  /** The file of a key ring that outlives the application. */
  keysFile?: string;
  clock?: ManualClock;
  /** Variables over the defaults. */
  env?: Record<string, string>;
  /** What `AuthModule.forRoot` is given over what the variables say: options, each group by itself, and hooks. */
  auth?: Partial<AuthModuleOptions> & AuthModuleExtras;
  /** A team's modules and controllers beside ours. */
  imports?: ModuleMetadata['imports'];
  controllers?: ModuleMetadata['controllers'];
}

const PASSWORD = 'space-corgi';

/** All tests come from one address, and mistype passwords on purpose; those of the limits set their own. */
const ENDLESS = '1000000 per 1h';
const NO_LIMITS = {
  account: ENDLESS,
  accountAndAddress: ENDLESS,
  address: ENDLESS,
  device: ENDLESS,
  register: ENDLESS,
  refresh: ENDLESS,
};

let names = 0;

/** The real application on a real port, with a database and keys of its own and a clock that tests move. */
export async function createTestApp(options: TestAppOptions = {}): Promise<TestApp> {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-test-'));
  const database = options.database ?? (await createTestDatabase(options.engine ?? 'sqlite'));
  const clock = options.clock ?? new ManualClock();
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: database.url,
    AUTH_KEYS_FILE: options.keysFile ?? join(folder, 'keys.json'),
    ...options.env,
  });
  const testing = await Test.createTestingModule({
    imports: [
      AppModule.forRoot(config, merge({ ...authOptions(config), limits: NO_LIMITS }, options.auth ?? {})),
      ...(options.imports ?? []),
    ],
    controllers: options.controllers ?? [],
  })
    .overrideProvider(Clock)
    .useValue(clock)
    .compile();
  const app = testing.createNestApplication(
    createNamedAdapter(options.adapter ?? 'fastify', config.TRUSTED_PROXIES),
    {
      ...APP_OPTIONS,
      logger: false,
    },
  );
  await configureApp(app, config).listen(0, '127.0.0.1');
  return new TestApp(app, clock, async () => {
    await app.close();
    if (!options.database) await database.drop();
    rmSync(folder, { recursive: true, force: true });
  });
}

/** Groups of options are merged, anything else replaces what was there. */
function merge<T extends object>(base: T, over: object): T {
  const merged = { ...base } as Record<string, unknown>;
  for (const [name, value] of Object.entries(over)) {
    const known = merged[name];
    merged[name] = isGroup(known) && isGroup(value) && name !== 'keys' ? { ...known, ...value } : value;
  }
  return merged as T;
}

function isGroup(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export class TestApp {
  constructor(
    readonly app: INestApplication,
    readonly clock: ManualClock,
    readonly close: () => Promise<void>,
  ) {}

  /** A provider, from whichever module. */
  get<T>(token: abstract new (...args: never[]) => T): T {
    return this.app.get<T>(token, { strict: false });
  }

  /** A request; with a token as `Authorization: Bearer`. */
  request(method: string, path: string, token?: string): request.Test {
    const agent = request(this.app.getHttpServer());
    const test = agent[method.toLowerCase() as 'get'](path);
    return token === undefined ? test : test.set('Authorization', `Bearer ${token}`);
  }

  /** A new user, registered over HTTP. */
  async register(username = `user-${++names}-${randomUUID().slice(0, 8)}`): Promise<TestUser> {
    const response = await this.request('POST', '/auth/register')
      .send({ username, password: PASSWORD })
      .expect(201);
    return new TestUser(this, (response.body as { id: string }).id, username, PASSWORD);
  }

  /** A new user's first login. */
  async login(): Promise<TestLogin> {
    return (await this.register()).login();
  }
}

export class TestUser {
  constructor(
    private readonly api: TestApp,
    readonly id: string,
    readonly username: string,
    readonly password: string,
  ) {}

  async login(): Promise<TestLogin> {
    const { username, password } = this;
    const response = await this.api.request('POST', '/auth/login').send({ username, password }).expect(200);
    return new TestLogin(this.api, this, response.body as TokenPairDto);
  }
}

/** One session of a user, holding its newest tokens: `access` is fresh until the first refresh. */
export class TestLogin {
  access: string;
  refresh: string;

  constructor(
    private readonly api: TestApp,
    readonly user: TestUser,
    pair: TokenPairDto,
  ) {
    this.access = pair.access_token;
    this.refresh = pair.refresh_token;
  }

  /** Refreshes and keeps the new pair, so that `access` is not fresh. */
  async rotate(idempotencyKey?: string): Promise<TokenPairDto> {
    return this.adopt(await this.tryRefresh(this.refresh, idempotencyKey).expect(200));
  }

  /** Proves the password and keeps the new pair, so that `access` is fresh. */
  async reauthenticate(idempotencyKey?: string): Promise<TokenPairDto> {
    return this.adopt(
      await this.tryReauthenticate(this.refresh, this.user.password, idempotencyKey).expect(200),
    );
  }

  tryRefresh(token: string, idempotencyKey?: string): request.Test {
    const test = this.api.request('POST', '/auth/refresh', token);
    return idempotencyKey === undefined ? test : test.set('Idempotency-Key', idempotencyKey);
  }

  tryReauthenticate(token: string, password: string, idempotencyKey?: string): request.Test {
    const test = this.api.request('POST', '/auth/reauthenticate', token).send({ password });
    return idempotencyKey === undefined ? test : test.set('Idempotency-Key', idempotencyKey);
  }

  private adopt(response: request.Response): TokenPairDto {
    const pair = response.body as TokenPairDto;
    this.access = pair.access_token;
    this.refresh = pair.refresh_token;
    return pair;
  }
}
