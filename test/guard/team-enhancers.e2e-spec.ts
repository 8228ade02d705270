import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  HttpException,
  type INestApplication,
  Injectable,
  Module,
  type NestInterceptor,
  NotFoundException,
  type Provider,
  Scope,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { map, type Observable } from 'rxjs';
import {
  AuthModule,
  ErrorFilter,
  FreshAccess,
  Public,
  TokenRule,
  type Principal,
} from '../../src/auth/index.js';
import {
  Database,
  DatabaseModule,
  DatabaseUnavailableError,
  openDatabase,
} from '../../src/database/index.js';
import { HashingQueue } from '../../src/passwords/hashing-queue.js';
import { HashingOverloadedError } from '../../src/passwords/hashing-line.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { createTestApp, parseChallenge, type TestApp } from '../../src/testing/index.js';
import { testAuthOptions } from '../../src/testing/test-auth-options.js';
import { ADAPTER, createNamedAdapter } from '../support/adapters.js';

/* What a team declares globally, in its root module or in main.ts, as Nest's own documents show it. */

@Controller('team')
class TeamController {
  @Get()
  show(): object {
    return { shown: true };
  }

  @FreshAccess({ maxAge: '5m' })
  @Get('fresh')
  fresh(): object {
    return {};
  }

  @FreshAccess({ once: true })
  @Get('once')
  once(): object {
    return {};
  }

  @Public()
  @Get('missing')
  missing(): never {
    throw new NotFoundException('no such page');
  }

  @Public()
  @Get('broken')
  broken(): never {
    throw new Error('hunter2');
  }

  @Public()
  @Get('database')
  database(): never {
    throw new DatabaseUnavailableError(new Error('connect ECONNREFUSED 10.0.0.5:5432'));
  }
}

/** https://docs.nestjs.com/exception-filters#exception-filters-1 */
@Catch(HttpException)
class HttpFilter implements ExceptionFilter<HttpException> {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(exception: HttpException, host: ArgumentsHost): void {
    const body = { by: 'HttpFilter', message: exception.message };
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), body, exception.getStatus());
  }
}

/** https://docs.nestjs.com/exception-filters#catch-everything */
@Catch()
class CatchEverything implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const status = exception instanceof HttpException ? exception.getStatus() : 500;
    const answer = exception instanceof HttpException ? exception.getResponse() : String(exception);
    const body = { by: 'CatchEverything', answer };
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), body, status);
  }
}

/** https://docs.nestjs.com/exception-filters#inheritance */
@Catch()
class Inherited extends BaseExceptionFilter {}

const reported: unknown[] = [];

/** As an error tracker is plugged in: it hears of the error, ours answers. */
@Catch()
class Reporter implements ExceptionFilter {
  constructor(private readonly errors: ErrorFilter) {}

  catch(exception: unknown, host: ArgumentsHost): unknown {
    reported.push(exception);
    // oxlint-disable-next-line promise/valid-params -- not a promise
    return this.errors.catch(exception, host);
  }
}

/** https://docs.nestjs.com/guards#role-based-authentication */
@Injectable()
class UserGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { user } = context.switchToHttp().getRequest<{ user?: Principal }>();
    seen.push(user?.userId);
    return true;
  }
}

@Injectable({ scope: Scope.REQUEST })
class ScopedUserGuard extends UserGuard {}

const seen: unknown[] = [];

@Injectable()
class Envelope implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler): Observable<object> {
    return next.handle().pipe(map((data: unknown) => ({ data })));
  }
}

let api: TestApp | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
  seen.length = reported.length = 0;
});

const onAdapter = async () => ({
  adapter: await createNamedAdapter(ADAPTER),
  applicationOptions: { bodyParser: false as const },
});
const auth = () => AuthModule.forRoot(testAuthOptions({ keys: generateKeySet() }));

/** A root module with these providers, which imports ours, on the adapter of the run. */
async function start(providers: Provider[], configure?: (app: INestApplication) => void): Promise<TestApp> {
  @Module({
    imports: [DatabaseModule.forRoot(openDatabase(':memory:')), auth()],
    controllers: [TeamController],
    providers,
  })
  class TeamModule {}
  api = await createTestApp({
    root: TeamModule,
    ...(await onAdapter()),
    ...(configure && { configure }),
  });
  return api;
}

describe('a global filter of the team', () => {
  const provided = (filter: typeof HttpFilter | typeof CatchEverything) => ({
    providers: [{ provide: APP_FILTER, useClass: filter }],
    configure: undefined,
  });
  const used = (filter: typeof HttpFilter | typeof CatchEverything) => ({
    providers: [],
    configure: (app: INestApplication) => void app.useGlobalFilters(new filter(app.get(HttpAdapterHost))),
  });

  it.each([
    ['as APP_FILTER of the root module', provided(HttpFilter)],
    ['by useGlobalFilters', used(HttpFilter)],
  ])('answers what it catches, and ours the rest: %s', async (_, { providers, configure }) => {
    const app = await start(providers, configure);
    const missing = await app.request('GET', '/team').expect(401);
    expect(missing.body).toEqual({ by: 'HttpFilter', message: 'Missing bearer token' });
    expect(parseChallenge(missing)).toEqual({});
    expect((await app.request('GET', '/team/missing').expect(404)).body).toMatchObject({ by: 'HttpFilter' });
    expect((await app.request('GET', '/nowhere').expect(404)).body).toMatchObject({ by: 'HttpFilter' });
    expect((await app.request('GET', '/team/broken').expect(500)).body).toEqual({
      statusCode: 500,
      error: 'Internal Server Error',
      message: 'Internal server error',
      errorCode: 'internal_error',
    });
  });

  it.each([
    ['as APP_FILTER of the root module', provided(CatchEverything)],
    ['by useGlobalFilters', used(CatchEverything)],
  ])('that catches everything loses no status, code or header: %s', async (_, { providers, configure }) => {
    const app = await start(providers, configure);
    const by = 'CatchEverything';
    const answered = (errorCode: string) => ({ by, answer: expect.objectContaining({ errorCode }) });

    const fresh = await app.login();
    const login = await app.login();
    await login.rotate();
    const stale = await app.request('GET', '/team/fresh', login.access).expect(401);
    expect(stale.body).toEqual(answered('fresh_token_required'));
    expect(parseChallenge(stale)).toMatchObject({ max_age: '300' });

    await app.request('GET', '/team/once', fresh.access).expect(200);
    const again = await app.request('GET', '/team/once', fresh.access).expect(401);
    expect(again.body).toEqual(answered('fresh_token_required'));
    expect(parseChallenge(again)).toMatchObject({ error: 'insufficient_user_authentication' });

    const credentials = { username: login.user.username, password: 'wrong-corgi' };
    const wrong = await app.request('POST', '/auth/login').send(credentials).expect(401);
    expect(wrong.body).toEqual(answered('invalid_credentials'));
    expect(parseChallenge(wrong)).toEqual({});

    expect((await app.request('GET', '/team/broken').expect(500)).body).toEqual({
      by,
      answer: 'Error: hunter2',
    });
    const away = await app.request('GET', '/team/database').expect(503);
    expect(away.body).toEqual(answered('database_unavailable'));
    expect(JSON.stringify(away.body)).not.toContain('10.0.0.5');
    jest.spyOn(app.get(Database), 'selectFrom').mockImplementation(() => {
      throw new DatabaseUnavailableError(new Error('gone'));
    });
    const inGuard = await app.request('GET', '/team/fresh', fresh.access).expect(503);
    expect(inGuard.body).toEqual(answered('database_unavailable'));
    expect(inGuard.headers['retry-after']).toBe('2');
  });

  it('keeps Retry-After and the limit of a refused attempt', async () => {
    @Module({
      imports: [
        DatabaseModule.forRoot(openDatabase(':memory:')),
        AuthModule.forRoot({ keys: generateKeySet(), limits: { accountAndAddress: '1 per 15m' } }),
      ],
      providers: [{ provide: APP_FILTER, useClass: CatchEverything }],
    })
    class LimitedModule {}
    api = await createTestApp({ root: LimitedModule, ...(await onAdapter()) });
    const { username } = await api.user();
    const guess = () => api?.request('POST', '/auth/login').send({ username, password: 'wrong-corgi' });
    await guess()?.expect(401);
    const refused = await guess()?.expect(429);
    expect(refused?.body).toMatchObject({ answer: { errorCode: 'rate_limited' } });
    expect(refused?.headers).toMatchObject({
      'retry-after': '900',
      ratelimit: expect.stringContaining('r=0'),
      'ratelimit-policy': expect.stringContaining('q=1;w=900'),
    });
  });

  it('keeps Retry-After of a server with too many logins', async () => {
    const app = await start([{ provide: APP_FILTER, useClass: CatchEverything }]);
    const queue = app.get(HashingQueue);
    jest.spyOn(queue, 'requireRoom').mockImplementation(() => {
      throw new HashingOverloadedError('too many');
    });
    const body = { username: 'cosmo', password: 'space-corgi' };
    const refused = await app.request('POST', '/auth/login').send(body).expect(503);
    expect(refused.headers['retry-after']).toBe('2');
  });

  it('that extends the one of Nest answers every refusal as ours', async () => {
    const app = await start([{ provide: APP_FILTER, useClass: Inherited }]);
    expect((await app.request('GET', '/team', 'a.b.c').expect(401)).body).toEqual({
      statusCode: 401,
      error: 'Unauthorized',
      message: 'Token is invalid',
      errorCode: 'token_invalid',
    });
  });

  it('may report an error and let ours answer', async () => {
    const app = await start([{ provide: APP_FILTER, useClass: Reporter }]);
    const { body } = await app.request('GET', '/team/broken').expect(500);
    expect(body).toMatchObject({ errorCode: 'internal_error' });
    expect(reported).toEqual([expect.objectContaining({ message: 'hunter2' })]);
  });
});

describe('a global guard of the team', () => {
  const provide = APP_GUARD;
  const use = (app: INestApplication) => void app.useGlobalGuards(new UserGuard());
  it.each<{ how: string; providers?: Provider[]; configure?: (app: INestApplication) => void }>([
    { how: 'as APP_GUARD of the root module', providers: [{ provide, useClass: UserGuard }] },
    {
      how: 'as a request-scoped one',
      providers: [{ provide, useClass: ScopedUserGuard, scope: Scope.REQUEST }],
    },
    { how: 'by useGlobalGuards', configure: use },
  ])('runs after ours, and sees the user: $how', async ({ providers = [], configure }) => {
    const app = await start(providers, configure);
    const login = await app.login();
    await app.request('GET', '/team').expect(401);
    expect(seen).toEqual([]);
    await app.request('GET', '/team', login.access).expect(200);
    await app.request('GET', '/team/missing').expect(404);
    expect(seen).toEqual([login.user.id, undefined]);
  });
});

describe('a global interceptor of the team', () => {
  it('wraps the answers, and never an error', async () => {
    const app = await start([{ provide: APP_INTERCEPTOR, useClass: Envelope }]);
    const login = await app.login();
    const shown = await app.request('GET', '/team', login.access).expect(200);
    expect(shown.body).toEqual({ data: { shown: true } });
    const pair = await app.request('POST', '/auth/refresh', login.refresh).expect(200);
    expect(pair.body).toEqual({ data: expect.objectContaining({ token_type: 'Bearer' }) });
    expect((await app.request('GET', '/team').expect(401)).body).toMatchObject({
      errorCode: 'token_missing',
    });
  });
});

describe('the guard', () => {
  it('stops the start if it cannot be created once, because a hook is request-scoped', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class ScopedRule extends TokenRule {}
    const database = openDatabase(':memory:');
    @Module({
      imports: [
        DatabaseModule.forRoot(database),
        AuthModule.forRoot({
          keys: generateKeySet(),
          providers: [{ provide: TokenRule, useClass: ScopedRule }],
        }),
      ],
      controllers: [TeamController],
    })
    class ScopedModule {}
    await expect(createTestApp({ root: ScopedModule })).rejects.toThrow('APP_GUARD');
    await database.destroy();
  });
});
