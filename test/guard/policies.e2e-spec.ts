import {
  All,
  Controller,
  Get,
  Header,
  Options,
  Post,
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  Res,
  ServiceUnavailableException,
  UseFilters,
} from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HttpAdapterHost } from '@nestjs/core';
import {
  Access,
  AccessOrRefresh,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Refresh,
  ApiError,
  Roles,
} from '../../src/auth/index.js';
import { parseChallenge, expectChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

@Controller('team')
class TeamController {
  @Get('bare')
  bare(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Header('Cache-Control', 'max-age=60')
  @Get('same-for-all')
  sameForAll(): object {
    return {};
  }

  @OptionalAccess()
  @Get('optional')
  optional(@CurrentUser() user: Principal | null): object {
    return { user };
  }

  @Refresh()
  @Post('refresh')
  refresh(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess()
  @Get('fresh')
  fresh(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @AccessOrRefresh()
  @Get('either')
  either(@CurrentUser() user: Principal): Principal {
    return user;
  }
}

@Public()
@Controller('open')
class OpenController {
  @Get('door')
  door(@CurrentUser() user: Principal | null): object {
    return { user };
  }

  @Access()
  @Get('closed-door')
  closedDoor(): object {
    return {};
  }
}

@FreshAccess()
@Controller('strict')
class StrictController {
  @Public()
  @Get('exception')
  exception(): object {
    return {};
  }
}

let handled = 0;

@Controller('any-method')
class AnyMethodController {
  @Get()
  read(): object {
    handled++;
    return {};
  }

  @All('all')
  all(): object {
    handled++;
    return {};
  }

  @Options('options')
  options(): object {
    handled++;
    return {};
  }
}

describe('what a route declares', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({
      controllers: [TeamController, OpenController, StrictController, AnyMethodController],
    });
  });
  afterAll(() => api.close());

  it('nothing: an access token is needed', async () => {
    const login = await api.login();
    const response = await api.request('GET', '/team/bare');
    expectError(response, 401, 'token_missing');
    expect(parseChallenge(response)).toEqual({});
    await api.request('GET', '/team/bare', login.access).expect(200);
  });

  it('@OptionalAccess: anonymous without a token, and a bad one is still refused', async () => {
    const login = await api.login();
    expect((await api.request('GET', '/team/optional').expect(200)).body).toEqual({ user: null });
    const known = await api.request('GET', '/team/optional', login.access).expect(200);
    expect(known.body).toMatchObject({ user: { userId: login.user.id, fresh: true } });
    expectError(await api.request('GET', '/team/optional', 'a.b.c'), 401, 'token_invalid');
    expectError(await api.request('GET', '/team/optional', login.refresh), 401, 'token_wrong_type');
    const basic = await api.request('GET', '/team/optional').set('Authorization', 'Basic Y29zbW86eA==');
    expect(basic.body).toEqual({ user: null });
  });

  it.each(['Bearer ', 'Bearer', 'bearer,', 'Foo 1, Bearer 2', 'Bearer a, Bearer b', 'Bearer\ta'])(
    'broken credentials of our scheme are an invalid token, never an anonymous request: "%s"',
    async (value) => {
      for (const path of ['/team/optional', '/team/bare', '/team/fresh']) {
        const response = await api.request('GET', path).set('Authorization', value);
        expectError(response, 401, 'token_invalid');
      }
    },
  );

  it('@Refresh: the live refresh token, which is not rotated; not one that was rotated away', async () => {
    const login = await api.login();
    const { body } = await api.request('POST', '/team/refresh', login.refresh).expect(201);
    expect(body).toMatchObject({ userId: login.user.id, fresh: false, authTime: null });
    await api.request('POST', '/team/refresh', login.refresh).expect(201);
    expectError(await api.request('POST', '/team/refresh', login.access), 401, 'token_wrong_type');
    const first = login.refresh;
    await login.rotate();
    expectError(await api.request('POST', '/team/refresh', first), 401, 'token_revoked');
    await api.request('POST', '/team/refresh', login.refresh).expect(201);
  });

  it('@AccessOrRefresh: either, but of a living session and not expired', async () => {
    const login = await api.login();
    await api.request('GET', '/team/either', login.access).expect(200);
    await api.request('GET', '/team/either', login.refresh).expect(200);
    expectError(await api.request('GET', '/team/either'), 401, 'token_missing');
    await api.request('POST', '/auth/logout', login.access).expect(204);
    expectError(await api.request('GET', '/team/either', login.access), 401, 'token_revoked');
    expectError(await api.request('GET', '/team/either', login.refresh), 401, 'token_revoked');
    api.clock.advance('15m');
    expectError(await api.request('GET', '/team/either', login.access), 401, 'token_expired');
  });

  it('on the handler: overrides the class, in both directions', async () => {
    expect((await api.request('GET', '/open/door', 'a.b.c').expect(200)).body).toEqual({ user: null });
    expectError(await api.request('GET', '/open/closed-door'), 401, 'token_missing');
    await api.request('GET', '/strict/exception').expect(200);
  });

  it('a token of any kind: the answer is not cacheable, unless the handler sets Cache-Control', async () => {
    const login = await api.login();
    for (const [method, path, token, expected] of [
      ['GET', '/team/bare', login.access, 'no-store'],
      ['GET', '/team/bare', undefined, 'no-store'],
      ['GET', '/team/optional', undefined, 'no-store'],
      ['POST', '/team/refresh', login.refresh, 'no-store'],
      ['GET', '/team/fresh', login.refresh, 'no-store'],
      ['GET', '/team/same-for-all', login.access, 'max-age=60'],
      ['GET', '/open/door', login.access, undefined],
    ] as const) {
      const { headers } = await api.request(method, path, token);
      expect([path, headers['cache-control']]).toEqual([path, expected]);
    }
  });

  it('applies to OPTIONS too: the handler runs only with a token that the route accepts', async () => {
    handled = 0;
    expectError(await api.request('OPTIONS', '/any-method/all'), 401, 'token_missing');
    expectError(await api.request('OPTIONS', '/any-method/options'), 401, 'token_missing');
    const response = await api.request('OPTIONS', '/any-method');
    expect(response.status).not.toBe(500);
    expect(handled).toBe(0);
    const { access } = await api.login();
    await api.request('OPTIONS', '/any-method/options', access).expect(200);
    expect(handled).toBe(1);
  });

  it('takes the scheme in any case, and no other scheme', async () => {
    const login = await api.login();
    for (const scheme of ['bearer', 'BEARER', 'BeArEr']) {
      await api.request('GET', '/team/bare').set('Authorization', `${scheme} ${login.access}`).expect(200);
    }
    const other = await api.request('GET', '/team/bare').set('Authorization', `Token ${login.access}`);
    expectError(other, 401, 'token_missing');
    const two = await api
      .request('GET', '/team/bare')
      .set('Authorization', `Bearer ${login.access}, Bearer x`);
    expectError(two, 401, 'token_invalid');
    expectError(await api.request('GET', `/team/bare?access_token=${login.access}`), 401, 'token_missing');
  });
});

describe('a preflight', () => {
  let api: TestApp;
  beforeAll(async () => {
    const env = { CORS_ORIGINS: 'https://app.example' };
    api = await createTestApp({ env, controllers: [AnyMethodController] });
  });
  afterAll(() => api.close());

  it('is answered without a token, and runs no handler', async () => {
    handled = 0;
    for (const path of ['/any-method', '/any-method/all']) {
      const response = await api.request('OPTIONS', path).set({
        Origin: 'https://app.example',
        'Access-Control-Request-Method': 'GET',
        'Access-Control-Request-Headers': 'authorization',
      });
      expect(response.status).toBe(204);
      expect(response.headers['access-control-allow-origin']).toBe('https://app.example');
    }
    expect(handled).toBe(0);
  });
});

describeEachEngine('parallel requests', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine, controllers: [TeamController] });
  });
  afterAll(() => api.close());

  it('are each answered for their own user', async () => {
    const logins = await Promise.all(Array.from({ length: 10 }, () => api.login()));
    const requests = Array.from({ length: 100 }, (_, i) => logins[i % logins.length]!);
    const who = async (path: string, token: string) => {
      const { body } = await api.request(path === '/team/refresh' ? 'POST' : 'GET', path, token);
      return (body as Principal).userId;
    };
    const expected = requests.map(({ user }) => user.id);
    expect(await Promise.all(requests.map(({ access }) => who('/team/bare', access)))).toEqual(expected);
    expect(await Promise.all(requests.map(({ access }) => who('/team/fresh', access)))).toEqual(expected);
    expect(await Promise.all(requests.map(({ refresh }) => who('/team/refresh', refresh)))).toEqual(expected);
  });
});

describe('two applications in one process', () => {
  it('never take each other’s tokens, whichever was built last', async () => {
    const first = await createTestApp();
    const second = await createTestApp();
    try {
      const [a, b] = [await first.login(), await second.login()];
      await first.request('GET', '/profile', a.access).expect(200);
      await second.request('GET', '/profile', b.access).expect(200);
      expectError(await first.request('GET', '/profile', b.access), 401, 'token_invalid');
      expectError(await second.request('GET', '/profile', a.access), 401, 'token_invalid');
      expectError(await first.request('POST', '/auth/refresh', b.refresh), 401, 'token_invalid');
      expectError(await first.request('DELETE', '/profile', b.access), 401, 'token_invalid');
    } finally {
      await first.close();
      await second.close();
    }
  });
});

/** A filter as teams write it: answers an HttpException with its own status and body, and any other error with 500. */
@Catch()
class CatchAll implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const [status, body] =
      exception instanceof HttpException
        ? [exception.getStatus(), { team: exception.getResponse() }]
        : [500, { team: String(exception) }];
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), body, status);
  }
}

@UseFilters(CatchAll)
@Controller('filtered')
class FilteredController {
  @Get()
  show(): object {
    return {};
  }

  @FreshAccess({ maxAge: '5m' })
  @Get('fresh')
  fresh(): object {
    return {};
  }

  @Roles('admin')
  @Get('admin')
  admin(): object {
    return {};
  }
}

interface Response {
  header?(name: string, value: string): unknown;
}

@Public()
@Controller('headers')
class HeadersController {
  @Get('own')
  own(@Res({ passthrough: true }) response: Response): never {
    response.header?.('Retry-After', '120');
    throw new ServiceUnavailableException('Closed for stocktaking');
  }

  @Get('declared')
  @Header('WWW-Authenticate', 'Basic realm="till"')
  declared(): never {
    throw new HttpException('Who are you?', 401);
  }

  @Get('explicit')
  explicit(@Res({ passthrough: true }) response: Response): never {
    response.header?.('Retry-After', '120');
    throw new ApiError(429, 'rate_limited', 'Slow down', { retryAfter: 7 });
  }

  @Get('default')
  byDefault(): never {
    throw new ServiceUnavailableException();
  }
}

describe('a refusal', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [FilteredController, HeadersController] });
  });
  afterAll(() => api.close());

  it('is an HttpException for a filter of the team, and has its challenge', async () => {
    const missing = await api.request('GET', '/filtered').expect(401);
    expect(missing.body).toEqual({
      team: {
        statusCode: 401,
        error: 'Unauthorized',
        message: 'Missing bearer token',
        errorCode: 'token_missing',
      },
    });
    expect(parseChallenge(missing)).toEqual({});

    const invalid = await api.request('GET', '/filtered', 'a.b.c').expect(401);
    expect(parseChallenge(invalid)).toMatchObject({ error: 'invalid_token' });
    expect(JSON.stringify(invalid.body)).not.toContain('JWS');

    const login = await api.login();
    await login.rotate();
    const stale = await api.request('GET', '/filtered/fresh', login.access).expect(401);
    expectChallenge(Object.assign(stale, { body: (stale.body as { team: unknown }).team }), { maxAge: '5m' });
    const role = await api.request('GET', '/filtered/admin', login.access).expect(403);
    expect(parseChallenge(role)).toMatchObject({ error: 'insufficient_scope' });
  });

  it.each([
    ['/headers/own', 503, 'retry-after', '120'],
    ['/headers/declared', 401, 'www-authenticate', 'Basic realm="till"'],
    ['/headers/explicit', 429, 'retry-after', '7'],
    ['/headers/default', 503, 'retry-after', '2'],
  ])(
    'overwrites no header that the handler has set, unless the error names it: %s',
    async (path, status, name, value) => {
      const { headers } = await api.request('GET', path).expect(status);
      expect(headers[name]).toBe(value);
    },
  );
});
