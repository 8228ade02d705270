import {
  type ArgumentsHost,
  Catch,
  Controller,
  type ExceptionFilter,
  Get,
  Header,
  HttpException,
  Res,
  ServiceUnavailableException,
  UseFilters,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiError, FreshAccess, Public, Roles } from '../../src/auth/index.js';
import { expectChallenge, parseChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';

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
