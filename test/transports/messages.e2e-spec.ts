import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import {
  Body,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Injectable,
  Logger,
  Post,
  Scope,
  type Type,
} from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import {
  ClientProxyFactory,
  type ClientTCP,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  Transport,
} from '@nestjs/microservices';
import { Test } from '@nestjs/testing';
import { IsString } from 'class-validator';
import { fromEvent, lastValueFrom, type Observable, takeUntil, throwError, timer } from 'rxjs';
import {
  ApiError,
  CurrentUser,
  FreshAccess,
  LoadUser,
  type Principal,
  Public,
  Roles,
  SessionSignal,
} from '../../src/auth/index.js';
import { TokenWatch } from '../../src/auth/internals.js';
import { MessagesModule, MessageWithToken, TokenSerializer } from '../../src/microservices/index.js';
import { createTestApp, type TestApp, type TestAppOptions } from '../support/create-test-app.js';
import { freePort } from '../support/free-port.mjs';
import { until } from '../support/until.js';

const handled: string[] = [];

class NoteDto {
  @IsString()
  text!: string;
}

class TeamError extends Error {}

@Catch(TeamError)
class TeamFilter implements ExceptionFilter {
  catch(): Observable<never> {
    return throwError(() => ({ team: 'answered' }));
  }
}

@Controller('notes')
class NotesController {
  @MessagePattern('user')
  user(@CurrentUser(LoadUser) user: { username: string }) {
    return user;
  }

  @FreshAccess({ maxAge: '5m' })
  @MessagePattern('fresh')
  fresh() {
    return {};
  }

  @FreshAccess({ once: true })
  @MessagePattern('once')
  once(@Payload() { fails }: { fails?: boolean }) {
    if (fails) throw new ApiError(404, 'not_found', 'as the test asked');
    return { used: true };
  }

  @MessagePattern('validated')
  validated(@Payload() note: NoteDto) {
    return note;
  }

  @Public()
  @MessagePattern('throws')
  throws(@Payload() { what }: { what: string }) {
    if (what === 'rpc') throw new RpcException({ own: 'error' });
    if (what === 'text') throw new RpcException('own text');
    if (what === 'api') throw new ApiError(409, 'username_taken', 'taken');
    if (what === 'team') throw new TeamError();
    throw new Error('hunter2');
  }

  @MessagePattern('stream')
  stream(@SessionSignal() signal: AbortSignal) {
    return timer(0, 10).pipe(takeUntil(fromEvent(signal, 'abort')));
  }

  @EventPattern('noted')
  noted(@Payload() { text }: NoteDto, @CurrentUser() user: unknown) {
    handled.push(`${text} of ${(user as Principal).userId}`);
  }

  @Get()
  list(@CurrentUser() user: Principal) {
    return { userId: user.userId };
  }

  @Public()
  @Post()
  create(@Body() note: NoteDto) {
    return note;
  }
}

/** Handles the same event as another controller, with another declaration. */
@Controller()
class AuditController {
  @Public()
  @EventPattern('noted')
  noted(@Payload() { text }: NoteDto, @CurrentUser() user: unknown) {
    handled.push(`${text} of ${user === null ? 'nobody' : 'a user'}`);
  }
}

@Roles('admin')
@Controller()
class AdminEventsController {
  @EventPattern('noted')
  noted(_note: unknown) {
    handled.push('admin');
  }
}

@Injectable({ scope: Scope.REQUEST })
class RequestState {}

@Controller()
class ScopedController {
  constructor(readonly state: RequestState) {}

  @MessagePattern('scoped')
  scoped(@CurrentUser() user: Principal) {
    return { userId: user.userId };
  }
}

/** As packages for tracing and mixins do it. */
const Replaced = (target: Type): void => {
  const Replacement = { [target.name]: class extends target {} }[target.name];
  return Replacement as unknown as void;
};

@Replaced
@Controller()
class ReplacedController {
  @MessagePattern('replaced')
  replaced() {
    return {};
  }
}

class BaseController {
  @MessagePattern('inherited')
  inherited() {
    return {};
  }
}

@Controller()
class HeirController extends BaseController {}

class TeamModule {}
const team = {
  module: TeamModule,
  imports: [MessagesModule],
  controllers: [
    NotesController,
    AuditController,
    AdminEventsController,
    ScopedController,
    ReplacedController,
    HeirController,
  ],
  providers: [RequestState, { provide: APP_FILTER, useClass: TeamFilter }],
};

/** A hybrid application and a client proxy. */
class Hybrid {
  private constructor(
    readonly api: TestApp,
    readonly client: ClientTCP,
  ) {}

  static async start(inheritAppConfig: boolean, options: TestAppOptions = {}): Promise<Hybrid> {
    const api = await createTestApp({ imports: [team], ...options });
    const address = { host: '127.0.0.1', port: await freePort() };
    api.app.connectMicroservice({ transport: Transport.TCP, options: address }, { inheritAppConfig });
    await api.app.startAllMicroservices();
    const serializer = new TokenSerializer();
    const client = ClientProxyFactory.create({
      transport: Transport.TCP,
      options: { ...address, serializer },
    });
    return new Hybrid(api, client as ClientTCP);
  }

  async send(pattern: string, token?: string, data: object = {}): Promise<object> {
    const message = token === undefined ? data : new MessageWithToken(data, token);
    return lastValueFrom(this.client.send<object>(pattern, message)).catch((error: object) => error);
  }

  async emit(token: string | undefined, data: object): Promise<void> {
    await lastValueFrom(
      this.client.emit('noted', token === undefined ? data : new MessageWithToken(data, token)),
      { defaultValue: undefined },
    );
  }

  async close(): Promise<void> {
    this.client.close();
    await this.api.close();
  }
}

describe.each([true, false])('a hybrid application, inheritAppConfig: %s', (inherits) => {
  let hybrid: Hybrid;
  let warned: jest.Spied<Logger['warn']>;
  beforeAll(async () => {
    warned = jest.spyOn(Logger.prototype, 'warn');
    hybrid = await Hybrid.start(inherits);
  });
  afterAll(() => hybrid.close());

  it('gives the handler its user', async () => {
    const { access, user } = await hybrid.api.login();
    expect(await hybrid.send('user', access)).toMatchObject({ id: user.id, username: user.username });
  });

  it('answers a refusal with its code, message and challenge', async () => {
    expect(await hybrid.send('user')).toEqual({
      status: 'error',
      statusCode: 401,
      error: 'Unauthorized',
      errorCode: 'token_missing',
      message: 'Missing bearer token',
    });
    const login = await hybrid.api.login();
    const { access_token: stale } = await login.rotate();
    expect(await hybrid.send('fresh', stale)).toEqual({
      status: 'error',
      statusCode: 401,
      error: 'Unauthorized',
      errorCode: 'fresh_token_required',
      message: 'Fresh token required',
      challenge: {
        error: 'insufficient_user_authentication',
        error_description: 'Fresh token required',
        max_age: 300,
      },
    });
  });

  it('uses a token up once', async () => {
    const { access } = await hybrid.api.login();
    const answers = await Promise.all(Array.from({ length: 50 }, () => hybrid.send('once', access)));
    expect(answers.filter((answer) => 'used' in answer)).toHaveLength(1);
    expect(
      answers.filter((answer) => 'errorCode' in answer && answer.errorCode === 'fresh_token_required'),
    ).toHaveLength(49);
  });

  it('gives the token back for a 4xx of the handler', async () => {
    const { access } = await hybrid.api.login();
    await hybrid.send('once', access, { fails: true });
    expect(await hybrid.send('once', access)).toEqual({ used: true });
  });

  it('protects request-scoped, replaced and inherited controllers', async () => {
    const { access, user } = await hybrid.api.login();
    for (const pattern of ['scoped', 'replaced', 'inherited'])
      expect([pattern, await hybrid.send(pattern)]).toMatchObject([pattern, { errorCode: 'token_missing' }]);
    expect(await hybrid.send('scoped', access)).toEqual({ userId: user.id });
    expect(await hybrid.send('replaced', access)).toEqual({});
    expect(await hybrid.send('inherited', access)).toEqual({});
  });

  it('hides errors of the handler, and answers RpcException as it is', async () => {
    expect(await hybrid.send('throws', undefined, { what: 'rpc' })).toEqual({ own: 'error' });
    expect(await hybrid.send('throws', undefined, { what: 'text' })).toEqual({
      status: 'error',
      message: 'own text',
    });
    const broken = await hybrid.send('throws', undefined, { what: 'broken' });
    expect(JSON.stringify(broken)).toContain('Internal server error');
    expect(JSON.stringify(broken)).not.toContain('hunter2');
  });

  it('drops an event that it refuses, and logs why', async () => {
    const logged = jest.spyOn(Logger.prototype, 'log');
    const { access, user } = await hybrid.api.login();
    handled.length = 0;
    await hybrid.emit(undefined, { text: 'first' });
    await hybrid.emit(access, { text: 'second' });
    await until(2_000, async () => handled.length >= 3);
    expect(new Set(handled)).toEqual(
      new Set(['first of nobody', 'second of nobody', `second of ${user.id}`]),
    );
    const lines = logged.mock.calls.map(([line]) => String(line)).filter((line) => line.includes('noted'));
    expect(lines.toSorted()).toEqual([
      '401 token_missing message noted: no token where the route looks for one',
      '401 token_missing message noted: no token where the route looks for one',
      '403 insufficient_role message noted: needs admin, has none',
    ]);
    logged.mockRestore();
  });

  it('gives a handler the signal by which its stream ends with the session', async () => {
    const { access } = await hybrid.api.login();
    const stream = hybrid.send('stream', access);
    await until(2_000, async () => hybrid.api.get(TokenWatch).size === 1);
    await hybrid.api.request('POST', '/auth/logout', access).expect(204);
    expect(await stream).toEqual(expect.any(Number));
  });

  it('checks the routes of the same controllers as before', async () => {
    const { access, user } = await hybrid.api.login();
    await hybrid.api.request('GET', '/notes').expect(401);
    await hybrid.api.request('GET', '/notes', access).expect(200, { userId: user.id });
    await hybrid.api.request('POST', '/notes').send({ text: 'a' }).expect(201, { text: 'a' });
  });

  it.each([
    [{ authorization: ['Bearer a', 'Bearer b'] }],
    [{ authorization: 5 }],
    [{ authorization: { a: 1 } }],
    [{ authorization: 'Bearer' }],
    [{ authorization: 'Bearer a', Authorization: 'Bearer b' }],
  ])('refuses metadata like %j as an invalid token', async (metadata) => {
    hybrid.client.setOnDispatchHook((packet) => Object.assign(packet, { metadata }));
    expect(await hybrid.send('user')).toMatchObject({ errorCode: 'token_invalid' });
    hybrid.client.setOnDispatchHook(() => {});
  });

  it.each([['text'], [5], [[]], [['authorization']], [{ authorization: 'Basic YTpi' }], [null]])(
    'finds no token in metadata like %j',
    async (metadata) => {
      hybrid.client.setOnDispatchHook((packet) => Object.assign(packet, { metadata }));
      expect(await hybrid.send('user')).toMatchObject({ errorCode: 'token_missing' });
      hybrid.client.setOnDispatchHook(() => {});
    },
  );

  if (inherits)
    it('validates, and lets filters of the application answer what they are for', async () => {
      const { access } = await hybrid.api.login();
      expect(await hybrid.send('validated', access, { text: 'a' })).toEqual({ text: 'a' });
      expect(await hybrid.send('validated', access, { text: 5 })).toMatchObject({
        statusCode: 400,
        errorCode: 'validation_failed',
      });
      expect(await hybrid.send('throws', undefined, { what: 'team' })).toEqual({ team: 'answered' });
      expect(await hybrid.send('throws', undefined, { what: 'api' })).toMatchObject({
        statusCode: 409,
        errorCode: 'username_taken',
      });
    });

  it(`warns ${inherits ? 'of nothing' : 'once that pipes, filters and interceptors are missing'}`, () => {
    const warnings = warned.mock.calls.filter(([line]) => String(line).includes('inheritAppConfig'));
    expect(warnings).toHaveLength(inherits ? 0 : 1);
    warned.mockRestore();
  });
});

describe('the token of a message', () => {
  it('is found in its metadata whatever the locations of routes are', async () => {
    const hybrid = await Hybrid.start(true, { env: { TOKEN_LOCATIONS: 'cookie' } });
    const { access, user } = await hybrid.api.login();
    expect(await hybrid.send('user', access)).toMatchObject({ id: user.id });
    await hybrid.close();
  });

  it('may be that of the whole client', async () => {
    const hybrid = await Hybrid.start(true);
    const { access, user } = await hybrid.api.login();
    hybrid.client.setOnDispatchHook((packet) => {
      packet.metadata = { authorization: `Bearer ${access}` };
    });
    expect(await hybrid.send('scoped')).toEqual({ userId: user.id });
    await hybrid.close();
  });

  it('is not sent as data by a client without the serializer', async () => {
    const options = { host: '127.0.0.1', port: await freePort() };
    const server = await Hybrid.start(true);
    const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
    expect(() => JSON.stringify(new MessageWithToken({}, 'token'))).toThrow(
      'serializer: new TokenSerializer()',
    );
    client.close();
    await server.close();
  });
});

describe('two applications of one process with the same controllers', () => {
  it('each ask their own guard', async () => {
    const [one, other] = [await Hybrid.start(false), await Hybrid.start(false)];
    const { access, user } = await one.api.login();
    expect(await one.send('scoped', access)).toEqual({ userId: user.id });
    expect(await other.send('scoped', access)).toMatchObject({ errorCode: 'token_invalid' });
    await one.close();
    await other.close();
  });
});

it('a controller that was bound can be tested in a module without AuthModule', async () => {
  const hybrid = await Hybrid.start(true);
  await hybrid.close();
  const tested = await Test.createTestingModule({ controllers: [HeirController] }).compile();
  const options = { host: '127.0.0.1', port: await freePort() };
  const app = tested.createNestMicroservice({ transport: Transport.TCP, options, logger: false });
  await app.listen();
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
  expect(await lastValueFrom(client.send('inherited', {}))).toEqual({});
  client.close();
  await app.close();
});
