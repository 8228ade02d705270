import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  Injectable,
  Module,
  Scope,
  UseFilters,
} from '@nestjs/common';
import { IsString } from 'class-validator';
import {
  MessageBody,
  type OnGatewayConnection,
  SubscribeMessage,
  WebSocketGateway,
  WsException,
} from '@nestjs/websockets';
import { WsAdapter } from '@nestjs/platform-ws';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  AccessOrRefresh,
  type AuthModuleOptions,
  CurrentUser,
  type Principal,
  Public,
  Refresh,
  RevocationCheck,
} from '../../src/auth/index.js';
import { Sockets } from '../../src/websockets/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachAdapter } from '../support/adapters.js';
import { DeclaredGateway } from '../support/declared.gateway.js';
import { gatewaysModule, type Handshake, LIBRARIES, TestSocket } from '../support/sockets.js';

const teamWith = (...providers: (new (...args: never[]) => object)[]) => {
  class TeamModule {}
  return { module: TeamModule, providers };
};

let api: TestApp | undefined;
afterEach(async () => {
  await api?.close();
  api = undefined;
});

const start = async (options: Parameters<typeof createTestApp>[0]) => {
  api = await createTestApp(options);
  return api;
};

describeEachAdapter('gateways on', ({ adapter }) => {
  it.each(LIBRARIES)('%s take the token of the handshake and end with its session', async (library) => {
    const app = await start({ adapter, imports: [teamWith(DeclaredGateway), gatewaysModule(library)] });
    const login = await app.login();
    const headers = { authorization: `Bearer ${login.access}` };
    const socket = await TestSocket.connect(library, app, { headers });
    expect((await socket.ask('fresh')).data).toBe(login.user.id);
    await app.request('POST', '/auth/logout', login.access).expect(204);
    expect(await socket.end()).toEqual({ code: 4401, reason: 'token_revoked' });
  });
});

describe.each(LIBRARIES)('a cookie in the handshake of %s', (library) => {
  const auth: Partial<AuthModuleOptions> = {
    locations: { order: ['cookie'] },
    cookies: { secure: false, accessName: 'access' },
    csrf: { trustedOrigins: ['https://app.example'] },
  };
  let ofCookies: TestApp;
  beforeAll(async () => {
    ofCookies = await createTestApp({ auth, imports: [teamWith(DeclaredGateway), gatewaysModule(library)] });
  });
  afterAll(() => ofCookies.close());

  const connect = async (headers: Record<string, string>) => {
    const { token } = await ofCookies.as('cosmo').fresh();
    const { host } = new URL(await ofCookies.app.getUrl());
    const filled = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace('HOST', host)]),
    );
    return TestSocket.connect(library, ofCookies, { headers: { cookie: `access=${token}`, ...filled } });
  };

  it.each([
    ['of the same origin', { origin: 'http://HOST' }],
    ['of a trusted origin', { origin: 'https://app.example' }],
    [
      'that the browser says is of the same origin',
      { 'sec-fetch-site': 'same-origin', origin: 'http://x.example' },
    ],
    [
      'of a trusted origin of another site',
      { 'sec-fetch-site': 'cross-site', origin: 'https://app.example' },
    ],
  ])('is taken from a page %s', async (_title, headers: Record<string, string>) => {
    const socket = await connect(headers);
    expect((await socket.ask('access')).event).toBe('answer');
  });

  it.each([
    ['of another origin', { origin: 'https://evil.example' }],
    ['of a trusted host with another scheme', { origin: 'http://app.example' }],
    ['of another site', { 'sec-fetch-site': 'cross-site', origin: 'http://HOST' }],
    ['without an origin of its own', { origin: 'null' }],
    ['or client that does not say', {}],
  ])('is refused from a page %s', async (_title, headers: Record<string, string>) => {
    const socket = await connect(headers);
    expect(await socket.end()).toEqual({ code: 4403, reason: 'csrf_failed' });
  });

  it('is not looked for if the application reads no tokens from cookies', async () => {
    const app = await start({ imports: [teamWith(DeclaredGateway), gatewaysModule(library)] });
    const { token } = await app.as('cosmo').fresh();
    const socket = await TestSocket.connect(library, app, { headers: { cookie: `access=${token}` } });
    expect(await socket.refusal('access')).toMatchObject({ errorCode: 'token_missing' });
  });
});

describe('the query', () => {
  const open = async (auth: Partial<AuthModuleOptions>) => {
    const app = await start({ auth, imports: [teamWith(DeclaredGateway), gatewaysModule('ws')] });
    const { token } = await app.as('cosmo').fresh();
    return TestSocket.connect('ws', app, { query: `?access_token=${token}` });
  };

  it('is read where the application reads tokens from it', async () => {
    const socket = await open({ locations: { order: ['header', 'query'] } });
    expect((await socket.ask('access')).event).toBe('answer');
  });

  it('is not read elsewhere', async () => {
    const socket = await open({});
    expect(await socket.refusal('access')).toMatchObject({ errorCode: 'token_missing' });
  });
});

it('several tokens in one handshake are refused', async () => {
  const app = await start({ imports: [teamWith(DeclaredGateway), gatewaysModule('ws')] });
  const { token } = await app.as('cosmo').fresh();
  const socket = await TestSocket.connect('ws', app, {
    headers: { authorization: `Bearer ${token}, Bearer ${token}` },
  });
  expect(await socket.end()).toEqual({ code: 4401, reason: 'token_invalid' });
});

describe('anonymous connections', () => {
  it('may stay if the application says so', async () => {
    const app = await start({
      imports: [teamWith(DeclaredGateway), gatewaysModule('ws', { authenticateWithin: false })],
    });
    const socket = await TestSocket.connect('ws', app);
    app.clock.advance('1d');
    expect((await socket.ask('public')).event).toBe('answer');
    expect(await socket.refusal('access')).toMatchObject({ errorCode: 'token_missing' });
  });

  it('have as long as the application says', async () => {
    const app = await start({
      imports: [teamWith(DeclaredGateway), gatewaysModule('ws', { authenticateWithin: '1m' })],
    });
    const socket = await TestSocket.connect('ws', app);
    app.clock.advance('59s');
    expect((await socket.ask('public')).event).toBe('answer');
    app.clock.advance('1s');
    expect(await socket.end()).toEqual({ code: 4401, reason: 'token_missing' });
  });

  it.each(['0s', 'soon'])('cannot have %s', (authenticateWithin) => {
    expect(() => gatewaysModule('ws', { authenticateWithin })).toThrow(RangeError);
  });
});

describe('Sockets.principal', () => {
  @WebSocketGateway()
  class RoomsGateway implements OnGatewayConnection {
    readonly seen: (string | null)[] = [];

    constructor(private readonly sockets: Sockets) {}

    async handleConnection(client: object): Promise<void> {
      this.seen.push((await this.sockets.principal(client))?.userId ?? null);
    }

    @SubscribeMessage('hello')
    hello(): object {
      return { event: 'answer' };
    }
  }

  it.each(LIBRARIES)('tells a gateway of %s who has connected', async (library) => {
    const app = await start({ imports: [teamWith(RoomsGateway, DeclaredGateway), gatewaysModule(library)] });
    const { seen } = app.get(RoomsGateway);
    const first = await app.login();
    const headers = { authorization: `Bearer ${first.access}` };
    await (await TestSocket.connect(library, app, { headers })).ask('hello');
    expect(seen).toEqual([first.user.id]);
    const later = await TestSocket.connect(library, app);
    const second = await app.login();
    await later.authenticate(second.access);
    await later.ask('hello');
    expect(seen).toEqual([first.user.id, second.user.id]);
    const never = await TestSocket.connect(library, app);
    await never.ask('public');
    app.clock.advance('10s');
    await never.end();
    expect(seen).toEqual([first.user.id, second.user.id, null]);
    expect(await app.get(Sockets).principal({})).toBeNull();
  });
});

describe('namespaces of socket.io', () => {
  @WebSocketGateway({ namespace: 'news' })
  class NewsGateway {
    @SubscribeMessage('access')
    access(@CurrentUser() user: Principal): object {
      return { event: 'answer', data: `news for ${user.userId}` };
    }
  }

  it('have tokens of their own', async () => {
    const app = await start({
      imports: [teamWith(DeclaredGateway, NewsGateway), gatewaysModule('socket.io')],
    });
    const login = await app.login();
    const other = await app.login();
    const open = async (handshake: Handshake) => TestSocket.connect('socket.io', app, handshake);
    const main = await open({ auth: login.access });
    const news = await open({ auth: other.access, namespace: 'news' });
    const anonymous = await open({ namespace: 'news' });
    expect((await main.ask('access')).data).toBe(login.user.id);
    expect((await news.ask('access')).data).toBe(`news for ${other.user.id}`);
    expect(await anonymous.refusal('access')).toMatchObject({ errorCode: 'token_missing' });
    await app.request('POST', '/auth/logout', other.access).expect(204);
    expect(await news.end()).toEqual({ code: 4401, reason: 'token_revoked' });
    expect((await main.ask('access')).event).toBe('answer');
  });
});

describe("a team's", () => {
  @Catch(WsException)
  class TeamFilter implements ExceptionFilter {
    catch(exception: WsException, host: ArgumentsHost): void {
      const { errorCode } = exception.getError() as { errorCode: string };
      host
        .switchToWs()
        .getClient<{ send(text: string): void }>()
        .send(JSON.stringify({ event: 'refused by the team', data: errorCode }));
    }
  }

  @UseFilters(TeamFilter)
  @WebSocketGateway()
  class FilteredGateway {
    @SubscribeMessage('hello')
    hello(): object {
      return { event: 'answer' };
    }
  }

  it('filter gets refusals', async () => {
    const app = await start({ imports: [teamWith(FilteredGateway), gatewaysModule('ws')] });
    const socket = await TestSocket.connect('ws', app);
    expect(await socket.ask('hello')).toEqual({ event: 'refused by the team', data: 'token_missing' });
  });

  @Injectable({ scope: Scope.REQUEST })
  class PerRequest {}

  @WebSocketGateway()
  class ScopedGateway {
    constructor(readonly perRequest: PerRequest) {}

    @SubscribeMessage('hello')
    hello(@CurrentUser() user: Principal): object {
      return { event: 'answer', data: user.userId };
    }
  }

  it.each(LIBRARIES)(
    'RevocationCheck is asked for each message of %s, and ends the connection',
    async (library) => {
      let isRevoked = false;
      class TeamCheck extends RevocationCheck {
        override isRevoked(): boolean {
          return isRevoked;
        }
      }
      const providers = [{ provide: RevocationCheck, useClass: TeamCheck }];
      const app = await start({
        auth: { providers },
        imports: [teamWith(DeclaredGateway), gatewaysModule(library)],
      });
      const { token } = await app.as('cosmo').fresh();
      const socket = await TestSocket.connect(library, app, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect((await socket.ask('access')).event).toBe('answer');
      isRevoked = true;
      expect(await socket.refusal('access')).toMatchObject({ errorCode: 'token_revoked' });
      expect(await socket.end()).toEqual({ code: 4401, reason: 'token_revoked' });
    },
  );

  class NameDto {
    @IsString()
    name!: string;
  }

  @WebSocketGateway()
  class ValidatingGateway {
    @SubscribeMessage('hello')
    hello(@MessageBody() { name }: NameDto): object {
      return { event: 'answer', data: name };
    }
  }

  it('DTOs are validated after the token', async () => {
    const app = await start({ imports: [teamWith(ValidatingGateway), gatewaysModule('ws')] });
    const socket = await TestSocket.connect('ws', app);
    expect(await socket.refusal('hello', { name: 5 })).toMatchObject({ errorCode: 'token_missing' });
    await socket.authenticate((await app.login()).access);
    expect(await socket.refusal('hello', { name: 5 })).toMatchObject({
      statusCode: 400,
      errorCode: 'validation_failed',
      errors: [{ field: 'name', messages: ['name must be a string'] }],
    });
    expect((await socket.ask('hello', { name: 'Cosmo' })).data).toBe('Cosmo');
  });

  it('request-scoped gateway is protected', async () => {
    const app = await start({ imports: [teamWith(ScopedGateway, PerRequest), gatewaysModule('ws')] });
    const socket = await TestSocket.connect('ws', app);
    expect(await socket.refusal('hello')).toMatchObject({ errorCode: 'token_missing' });
    const login = await app.login();
    await socket.authenticate(login.access);
    expect((await socket.ask('hello')).data).toBe(login.user.id);
  });
});

describe('the start stops', () => {
  @Refresh()
  @WebSocketGateway()
  class RefreshGateway {
    @SubscribeMessage('hello')
    hello(): void {}
  }

  @WebSocketGateway()
  class EitherGateway {
    @AccessOrRefresh()
    @SubscribeMessage('hello')
    hello(): void {}
  }

  @WebSocketGateway()
  class AuthenticateGateway {
    @SubscribeMessage('authenticate')
    hello(): void {}
  }

  it.each([
    [RefreshGateway, 'RefreshGateway.hello declares refresh'],
    [EitherGateway, 'EitherGateway.hello declares access-or-refresh'],
    [AuthenticateGateway, 'AuthenticateGateway.hello takes the message "authenticate"'],
  ])('for a handler that no message can reach (%p)', async (gateway, message) => {
    await expect(start({ imports: [teamWith(gateway), gatewaysModule('ws')] })).rejects.toThrow(message);
  });

  it('for a gateway without the module', async () => {
    await expect(start({ imports: [teamWith(DeclaredGateway)] })).rejects.toThrow(
      'DeclaredGateway.undeclared handles WebSocket messages',
    );
  });

  it('for an adapter that replaces the protected one', async () => {
    @Module({})
    class ReplacingModule {}
    const started = createTestApp({
      imports: [teamWith(DeclaredGateway), gatewaysModule('ws'), ReplacingModule],
      configure: (app) => app.useWebSocketAdapter(new WsAdapter(app)),
    });
    await expect(started.then((app) => app.close())).rejects.toThrow('GatewaysModule.forRoot({ adapter })');
  });
});

it('public gateways need no module', async () => {
  @Public()
  @WebSocketGateway()
  class OpenGateway {
    @SubscribeMessage('hello')
    hello(): object {
      return { event: 'answer' };
    }
  }
  const app = await start({
    imports: [teamWith(OpenGateway)],
    configure: (made) => made.useWebSocketAdapter(new WsAdapter(made)),
  });
  const socket = await TestSocket.connect('ws', app);
  expect(await socket.ask('hello')).toEqual({ event: 'answer' });
});
