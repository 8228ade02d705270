import { type ArgumentsHost, Controller, type ExecutionContext, Get, Injectable } from '@nestjs/common';
import {
  type ClientProxy,
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  type TcpContext,
  Transport,
} from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { lastValueFrom, throwError } from 'rxjs';
import {
  Access,
  ApiError,
  CurrentToken,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Roles,
} from '../../src/auth/index.js';
import { AdaptsTransport, type Call, type Refusal, type TransportAdapter } from '../../src/auth/internals.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { freePort } from '../support/free-port.mjs';

@Controller()
class MessagesController {
  @MessagePattern('quote')
  quote(): string {
    return 'answered';
  }
}

@Controller()
class EventsController {
  @Access()
  @EventPattern('created')
  created(_data: unknown): void {}
}

@Controller('both')
class BothController {
  @FreshAccess()
  @Get()
  @MessagePattern('both')
  both(): string {
    return 'answered';
  }
}

@Public()
class PublicBase {}

@Controller()
class HeirController extends PublicBase {
  @MessagePattern('heir')
  heir(): string {
    return 'answered';
  }
}

@Roles('admin')
@Public()
@Controller()
class RolesController {
  @MessagePattern('roles')
  roles(): string {
    return 'answered';
  }
}

@OptionalAccess()
@WebSocketGateway()
class OptionalGateway {
  @SubscribeMessage('quote')
  quote(): void {}
}

@Public()
@WebSocketGateway()
class RolesGateway {
  @Roles('admin')
  @SubscribeMessage('quote')
  quote(): void {}
}

/** As `@nestjs/graphql` marks them; the package is not among our dependencies. */
const Marked =
  (key: string): MethodDecorator =>
  (_target, _member, descriptor) =>
    Reflect.defineMetadata(key, 'marked', descriptor.value as object);

@Injectable()
class QueryResolver {
  @Marked('graphql:resolver_type')
  quote(): void {}
}

@Injectable()
class FieldResolver {
  @FreshAccess()
  @Marked('graphql:resolve_property')
  secret(): void {}
}

@Injectable()
class OnceField {
  @FreshAccess({ once: true })
  @Marked('graphql:resolve_property')
  secret(): void {}
}

describe('a handler that the guard cannot protect stops the start, by name', () => {
  it.each([
    ['MessagesController.quote handles microservice messages', { controllers: [MessagesController] }],
    ['EventsController.created handles microservice messages', { controllers: [EventsController] }],
    ['BothController.both handles microservice messages', { controllers: [BothController] }],
    ['HeirController.heir handles microservice messages', { controllers: [HeirController] }],
    ['RolesController.roles declares @Roles(admin), but public', { controllers: [RolesController] }],
    ['OptionalGateway.quote handles WebSocket messages', { providers: [OptionalGateway] }],
    ['RolesGateway.quote declares @Roles(admin), but public', { providers: [RolesGateway] }],
    [
      'OptionalGateway.quote handles WebSocket messages',
      { providers: [{ provide: 'gateway', useFactory: () => new OptionalGateway() }] },
    ],
    ['QueryResolver.quote handles GraphQL operations', { providers: [QueryResolver] }],
    ['FieldResolver.secret handles GraphQL fields', { providers: [FieldResolver] }],
    ['import the module of freshgate/graphql', { providers: [FieldResolver] }],
    ['OnceField.secret declares once, which a GraphQL field cannot', { providers: [OnceField] }],
  ])(
    '%s',
    async (
      message,
      { controllers = [], providers = [] }: { controllers?: object[]; providers?: object[] },
    ) => {
      class TeamModule {}
      const started = createTestApp({
        imports: [
          { module: TeamModule, controllers: controllers as never[], providers: providers as never[] },
        ],
      });
      await expect(started.then((api) => api.close())).rejects.toThrow(message);
    },
  );
});

interface ToyMessage {
  token?: string;
}

/** The smallest possible adapter: the token is a member of the message. */
@Injectable()
@AdaptsTransport({ type: 'rpc', handlers: ['message'] })
class ToyTransport implements TransportAdapter {
  open(context: ExecutionContext): Call {
    const { token } = context.getArgByIndex<ToyMessage>(0);
    return { request: { headers: token === undefined ? {} : { authorization: `Bearer ${token}` } } };
  }

  keyOf(context: ExecutionContext): object {
    return context.getArgByIndex<object>(1);
  }

  owns(exception: unknown): boolean {
    return exception instanceof RpcException;
  }

  refuse({ exception, answer, headers, challenge }: Refusal): unknown {
    return throwError(() =>
      exception instanceof RpcException ? exception.getError() : { ...answer, headers, challenge },
    );
  }

  describe(host: ArgumentsHost): string {
    return `message ${host.switchToRpc().getContext<TcpContext>().getPattern()}`;
  }
}

@Controller()
class GuardedMessages {
  @MessagePattern('plain')
  plain(@CurrentUser() user: Principal, @CurrentToken('location') location: string) {
    return { userId: user.userId, location };
  }

  @OptionalAccess()
  @MessagePattern('optional')
  optional(@CurrentUser() user: Principal | null) {
    return { anonymous: user === null };
  }

  @FreshAccess({ maxAge: '5m' })
  @MessagePattern('fresh')
  fresh() {
    return { fresh: true };
  }

  @FreshAccess({ once: true })
  @MessagePattern('once')
  once(@Payload() { fails }: { fails?: boolean }) {
    if (fails) throw new ApiError(404, 'not_found', 'as the test asked');
    return { used: true };
  }

  @Roles('admin')
  @MessagePattern('admin')
  admin() {
    return { admin: true };
  }

  @Public()
  @MessagePattern('public')
  public() {
    throw new RpcException({ own: 'error' });
  }

  @Public()
  @MessagePattern('broken')
  broken() {
    throw new Error('hunter2');
  }
}

describe('a transport that a module brings to the guard', () => {
  let api: TestApp;
  let client: ClientProxy;
  const send = (pattern: string, token?: string, more: object = {}): Promise<object> =>
    lastValueFrom(client.send<object>(pattern, { ...more, ...(token !== undefined && { token }) })).catch(
      (error: object) => error,
    );
  beforeAll(async () => {
    class TeamModule {}
    api = await createTestApp({
      imports: [{ module: TeamModule, controllers: [GuardedMessages], providers: [ToyTransport] }],
    });
    const options = { host: '127.0.0.1', port: await freePort() };
    api.app.connectMicroservice({ transport: Transport.TCP, options }, { inheritAppConfig: true });
    await api.app.startAllMicroservices();
    client = ClientProxyFactory.create({ transport: Transport.TCP, options });
  });
  afterAll(async () => {
    await client.close();
    await api.close();
  });

  it('needs an access token where nothing is declared, and gives the handler its user', async () => {
    const { access, user } = await api.login();
    expect(await send('plain', access)).toEqual({ userId: user.id, location: 'header' });
    expect(await send('plain')).toMatchObject({
      statusCode: 401,
      errorCode: 'token_missing',
      headers: { 'WWW-Authenticate': 'Bearer' },
      challenge: {},
    });
  });

  it('checks levels, freshness and roles as for routes', async () => {
    const login = await api.login();
    const { access } = login;
    const { access_token: stale } = await login.rotate();
    expect(await send('optional')).toEqual({ anonymous: true });
    expect(await send('optional', stale)).toEqual({ anonymous: false });
    expect(await send('optional', 'not.a.token')).toMatchObject({ errorCode: 'token_invalid' });
    expect(await send('fresh', access)).toEqual({ fresh: true });
    expect(await send('fresh', stale)).toMatchObject({
      errorCode: 'fresh_token_required',
      challenge: { error: 'insufficient_user_authentication', max_age: 300 },
    });
    expect(await send('plain', login.refresh)).toMatchObject({ errorCode: 'token_wrong_type' });
    expect(await send('admin', stale)).toMatchObject({ statusCode: 403, errorCode: 'insufficient_role' });
  });

  it('keeps messages of one connection apart', async () => {
    const [one, other] = [await api.login(), await api.login()];
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, i) => send('plain', (i % 2 ? one : other).access)),
    );
    expect(answers).toEqual(
      answers.map((_, i) => ({ userId: (i % 2 ? one : other).user.id, location: 'header' })),
    );
  });

  it('uses a token up once, and not for a 4xx of the handler', async () => {
    const { access } = await api.login();
    expect(await send('once', access, { fails: true })).toMatchObject({ errorCode: 'not_found' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => send('once', access)));
    const used = answers.filter((answer) => 'used' in answer);
    const refused = answers.filter((answer) => !('used' in answer));
    expect(used).toHaveLength(1);
    for (const answer of refused) expect(answer).toMatchObject({ errorCode: 'fresh_token_required' });
  });

  it('answers errors of the transport as they are, and hides those of others', async () => {
    expect(await send('public')).toEqual({ own: 'error' });
    expect(await send('broken')).toMatchObject({
      statusCode: 500,
      errorCode: 'internal_error',
      message: 'Internal server error',
    });
  });
});

@Public()
@Controller()
class OpenController {
  @MessagePattern('quote')
  quote(): string {
    return 'answered';
  }
}

@Injectable()
class PlainFields {
  @Marked('graphql:resolve_property')
  name(): void {}
}

describe('a hybrid application', () => {
  let api: TestApp;
  let client: ClientProxy;
  beforeAll(async () => {
    class TeamModule {}
    api = await createTestApp({
      imports: [{ module: TeamModule, controllers: [OpenController], providers: [PlainFields] }],
    });
    const options = { host: '127.0.0.1', port: await freePort() };
    api.app.connectMicroservice({ transport: Transport.TCP, options }, { inheritAppConfig: true });
    await api.app.startAllMicroservices();
    client = ClientProxyFactory.create({ transport: Transport.TCP, options });
  });
  afterAll(async () => {
    await client.close();
    await api.close();
  });

  it('answers messages of public handlers', async () => {
    expect(await lastValueFrom(client.send('quote', {}))).toBe('answered');
  });
});
