import { Controller, Get, Injectable } from '@nestjs/common';
import {
  type ClientProxy,
  ClientProxyFactory,
  EventPattern,
  MessagePattern,
  Transport,
} from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { lastValueFrom } from 'rxjs';
import { Access, FreshAccess, OptionalAccess, Public, Roles } from '../../src/auth/index.js';
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
