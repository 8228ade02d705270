import {
  Controller,
  Delete,
  type DynamicModule,
  Get,
  type INestApplication,
  Injectable,
  Module,
} from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { decode } from 'jsonwebtoken';
import request, { type Response } from 'supertest';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import {
  Authenticator,
  AuthModule,
  type AuthModuleOptions,
  createValidationPipe,
  CurrentUser,
  FreshAccess,
  type Principal,
  Public,
  TokenExtras,
} from '../../src/auth/index.js';
import { DatabaseModule, openDatabase } from '../../src/database/index.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { type PrivateJwkSet } from '../../src/keys/key-ring.js';
import { claimsOf } from '../support/claims.js';
import { ADAPTER } from '../support/adapters.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';

const ACCOUNT = { username: 'tom', password: 'mouse-trap' };

@Controller('cats')
class CatsController {
  @Get()
  list(@CurrentUser() { userId }: Principal): object {
    return { owner: userId };
  }

  @FreshAccess()
  @Delete()
  remove(@CurrentUser() { userId }: Principal): object {
    return { owner: userId };
  }

  @Public()
  @Get('count')
  count(): object {
    return { cats: 9 };
  }
}

/** Keys of our own, under the names that the other application's have: a name must not be enough. */
function namedKeys(): PrivateJwkSet {
  return {
    keys: generateKeySet().keys.map((key) => ({
      ...key,
      kid: `the ${key.token_use} key`.replaceAll(' ', '-'),
    })),
  };
}

@Injectable()
class Settings {
  readonly keys = namedKeys();
  readonly house = 'the house of cats';

  get options(): AuthModuleOptions {
    return { keys: this.keys, tokens: { accessTtl: '5m' }, freshMaxAge: '1m' };
  }
}

@Injectable()
class CatsAuth {
  constructor(private readonly settings: Settings) {}

  async createAuthOptions(): Promise<AuthModuleOptions> {
    return this.settings.options;
  }
}

@Module({ providers: [Settings], exports: [Settings] })
class SettingsModule {}

@Module({ imports: [SettingsModule], providers: [CatsAuth], exports: [CatsAuth] })
class CatsAuthModule {}

/** A hook that needs what only the extra import gives. */
@Injectable()
class HouseExtras extends TokenExtras {
  constructor(private readonly settings: Settings) {
    super();
  }

  override claims(): Record<string, unknown> {
    return { house: this.settings.house };
  }
}

const providers = [{ provide: TokenExtras, useClass: HouseExtras }];
const imports = [SettingsModule];
const FORMS: Record<string, () => DynamicModule> = {
  forRoot: () => AuthModule.forRoot({ ...new Settings().options, imports, providers }),
  'forRootAsync with useFactory': () =>
    AuthModule.forRootAsync({
      imports,
      inject: [Settings],
      useFactory: async (settings: Settings) => settings.options,
      providers,
    }),
  'forRootAsync with useClass': () => AuthModule.forRootAsync({ imports, useClass: CatsAuth, providers }),
  'forRootAsync with useExisting': () =>
    AuthModule.forRootAsync({ imports: [...imports, CatsAuthModule], useExisting: CatsAuth, providers }),
};

/** An application of another team, as its `main.ts` would make it. */
class CatsApp {
  private constructor(readonly app: INestApplication) {}

  static async start(auth: DynamicModule): Promise<CatsApp> {
    @Module({
      imports: [DatabaseModule.forRoot(openDatabase(':memory:')), auth],
      controllers: [CatsController],
    })
    class CatsModule {}
    const http =
      ADAPTER === 'fastify'
        ? new FastifyAdapter()
        : new (await import('@nestjs/platform-express')).ExpressAdapter();
    const app = await NestFactory.create(CatsModule, http, { logger: false, abortOnError: false });
    await app.useGlobalPipes(createValidationPipe()).listen(0, '127.0.0.1');
    return new CatsApp(app);
  }

  request(method: 'get' | 'post' | 'delete', path: string, token?: string): request.Test {
    const test = request(this.app.getHttpServer())[method](path);
    return token === undefined ? test : test.set('Authorization', `Bearer ${token}`);
  }

  async register(): Promise<string> {
    const { body } = await this.request('post', '/auth/register').send(ACCOUNT).expect(201);
    return (body as { id: string }).id;
  }

  async login(): Promise<TokenPairDto> {
    return (await this.request('post', '/auth/login').send(ACCOUNT).expect(200)).body as TokenPairDto;
  }
}

const refused = ({ status, body }: Response) => `${status} ${(body as { errorCode?: string }).errorCode}`;

describe('an application of another team', () => {
  let cats: CatsApp | undefined;
  afterEach(async () => {
    await cats?.app.close();
    cats = undefined;
  });

  it.each(Object.entries(FORMS))('made with %s: the whole story', async (_, form) => {
    const app = await CatsApp.start(form());
    cats = app;
    const owner = await app.register();
    const pair = await app.login();
    expect(pair.expires_in).toBe(300);
    expect(claimsOf(pair.access_token)).toMatchObject({ sub: owner, house: 'the house of cats' });

    await app.request('get', '/cats/count').expect(200);
    expect(refused(await app.request('get', '/cats'))).toBe('401 token_missing');
    const listed = await app.request('get', '/cats', pair.access_token).expect(200);
    expect(listed.body).toEqual({ owner });
    await app.request('delete', '/cats', pair.access_token).expect(200);

    const refreshed = await app.request('post', '/auth/refresh', pair.refresh_token).expect(200);
    const next = refreshed.body as TokenPairDto;
    expect(claimsOf(next.refresh_token)).toMatchObject({ house: 'the house of cats' });
    const stale = await app.request('delete', '/cats', next.access_token);
    expect(refused(stale)).toBe('401 fresh_token_required');
    expect(stale.headers['www-authenticate']).toContain('max_age="60"');
    const proved = await app
      .request('post', '/auth/reauthenticate', next.refresh_token)
      .send({ password: ACCOUNT.password })
      .expect(200);
    const { access_token, refresh_token } = proved.body as TokenPairDto;
    await app.request('delete', '/cats', access_token).expect(200);
    await app.request('post', '/auth/logout', refresh_token).expect(204);
    expect(refused(await app.request('get', '/cats', access_token))).toBe('401 token_revoked');
    const wrong = await app.request('post', '/auth/login').send({ username: 5 });
    expect(refused(wrong)).toBe('400 validation_failed');
  });

  it('does not start when the options’ class fails', async () => {
    class Broken {
      createAuthOptions(): never {
        throw new Error('the vault is closed');
      }
    }
    const start = CatsApp.start(AuthModule.forRootAsync({ useClass: Broken }));
    await expect(start).rejects.toThrow('the vault is closed');
  });
});

const ORDERS = ['ours first', 'theirs first'] as const;

describe.each(ORDERS)('two applications in one process, %s', (order) => {
  let ours: TestApp;
  let theirs: CatsApp;
  let our: TestLogin;
  let their: TokenPairDto;
  let theirOwner: string;

  beforeAll(async () => {
    const startOurs = async () => {
      ours = await createTestApp({ auth: { keys: namedKeys() }, controllers: [CatsController] });
    };
    const startTheirs = async () => {
      theirs = await CatsApp.start(FORMS['forRootAsync with useClass']!());
    };
    const both = order === 'ours first' ? [startOurs, startTheirs] : [startTheirs, startOurs];
    for (const start of both) await start();
    our = await ours.login();
    theirOwner = await theirs.register();
    their = await theirs.login();
  });
  afterAll(async () => {
    await ours.close();
    await theirs.app.close();
  });

  it('name their keys, issuer and audience alike', () => {
    const [header, theirHeader] = [our.access, their.access_token].map(
      (token) => decode(token, { complete: true })?.header,
    );
    expect(theirHeader).toEqual(header);
    const { iss, aud } = claimsOf(our.access);
    expect(claimsOf(their.access_token)).toMatchObject({ iss, aud });
  });

  it('take no token of the other, on any route', async () => {
    for (const path of ['/cats', '/profile', '/auth/sessions']) {
      expect(refused(await ours.request('GET', path, their.access_token))).toBe('401 token_invalid');
    }
    expect(refused(await ours.request('DELETE', '/cats', their.access_token))).toBe('401 token_invalid');
    for (const path of ['/auth/refresh', '/auth/logout']) {
      expect(refused(await ours.request('POST', path, their.refresh_token))).toBe('401 token_invalid');
      expect(refused(await theirs.request('post', path, our.refresh))).toBe('401 token_invalid');
    }
    for (const path of ['/cats', '/auth/sessions']) {
      expect(refused(await theirs.request('get', path, our.access))).toBe('401 token_invalid');
    }
    expect(refused(await theirs.request('delete', '/cats', our.access))).toBe('401 token_invalid');
    const invalid = { code: 'token_invalid' };
    const theirGate = theirs.app.get(Authenticator, { strict: false });
    await expect(theirGate.access(our.access)).rejects.toMatchObject(invalid);
    await expect(ours.get(Authenticator).access(their.access_token)).rejects.toMatchObject(invalid);
    await theirGate.access(their.access_token);
  });

  it('know their own users alone, and add their own claims', async () => {
    expect(claimsOf(our.access)).not.toHaveProperty('house');
    const strangers = await ours.request('POST', '/auth/login').send(ACCOUNT);
    expect(refused(strangers)).toBe('401 invalid_credentials');
    const { username, password } = our.user;
    const visitors = await theirs.request('post', '/auth/login').send({ username, password });
    expect(refused(visitors)).toBe('401 invalid_credentials');
  });

  it('go by their own options', async () => {
    expect(claimsOf(our.access)).toMatchObject({ exp: (claimsOf(our.access).iat ?? 0) + 900 });
    const { access_token } = (
      await theirs.request('post', '/auth/refresh', (await theirs.login()).refresh_token).expect(200)
    ).body as TokenPairDto;
    const stale = await theirs.request('delete', '/cats', access_token);
    expect(stale.headers['www-authenticate']).toContain('max_age="60"');
    const own = await ours.request('DELETE', '/cats', (await (await our.user.login()).rotate()).access_token);
    expect(own.headers['www-authenticate']).toContain('max_age="900"');
  });

  it('answer each request as their own, under parallel load', async () => {
    const ask = [
      async () => ours.request('GET', '/cats', our.access),
      async () => theirs.request('get', '/cats', their.access_token),
      async () => ours.request('DELETE', '/cats', our.access),
      async () => theirs.request('delete', '/cats', their.access_token),
      async () => ours.request('GET', '/cats', their.access_token),
      async () => theirs.request('get', '/cats', our.access),
    ];
    const answers = await Promise.all(Array.from({ length: 120 }, (_, i) => ask[i % ask.length]!()));
    const [mine, other] = [{ owner: our.user.id }, { owner: theirOwner }];
    const invalid = expect.objectContaining({ errorCode: 'token_invalid' });
    const expected = [mine, other, mine, other, invalid, invalid];
    expect(answers.map(({ body }) => body as unknown)).toEqual(
      answers.map((_, i) => expected[i % expected.length]),
    );
  });
});
