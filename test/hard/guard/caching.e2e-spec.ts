import { CacheInterceptor, CacheModule } from '@nestjs/cache-manager';
import { Controller, type ExecutionContext, Get, Injectable } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { CurrentUser, NotCached, OptionalAccess, type Principal } from '../../../src/auth/index.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';

let calls = 0;

@Controller('team')
class TeamController {
  @OptionalAccess()
  @Get('cached')
  cached(@CurrentUser() user: Principal | null): object {
    return { user: user?.userId ?? null, call: ++calls };
  }

  @NotCached()
  @Get('not-cached')
  notCached(@CurrentUser() user: Principal): object {
    return { user: user.userId, call: ++calls };
  }
}

/** As `docs/extending.md` shows it. */
@Injectable()
class SessionCacheInterceptor extends CacheInterceptor {
  protected override async trackBy(context: ExecutionContext): Promise<string | undefined> {
    const key = (await super.trackBy(context)) ?? undefined;
    const { user } = context.switchToHttp().getRequest<{ user?: Principal }>();
    return key === undefined || !user ? key : `${key} ${user.sessionId}`;
  }
}

const cachedBy = (useClass: typeof CacheInterceptor) => {
  class CachingModule {}
  return {
    module: CachingModule,
    imports: [CacheModule.register()],
    controllers: [TeamController],
    providers: [{ provide: APP_INTERCEPTOR, useClass }],
  };
};

describe('a global CacheInterceptor', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ imports: [cachedBy(CacheInterceptor)] });
  });
  afterAll(() => api.close());

  it.each(['/auth/sessions', '/profile', '/team/not-cached'])(
    'never gives a user the answer of another: %s',
    async (path) => {
      const [first, second] = [await api.login(), await api.login()];
      const own = (await api.request('GET', path, first.access).expect(200)).body as unknown;
      const others = (await api.request('GET', path, second.access).expect(200)).body as unknown;
      expect(others).not.toEqual(own);
      await api.request('POST', '/auth/logout', first.access).expect(204);
      await api.request('GET', path, first.access).expect(401);
    },
  );

  it('lists sessions as they are', async () => {
    const login = await api.login();
    await api.request('GET', '/auth/sessions', login.access).expect(200);
    await login.user.login();
    expect((await api.request('GET', '/auth/sessions', login.access)).body).toHaveLength(2);
  });

  it.each(['/.well-known/jwks.json', '/health/live', '/health/ready'])('does not cache %s', async (path) => {
    await api.request('GET', path).expect(200);
    expect((await api.request('GET', path).expect(200)).headers['x-cache']).toBeUndefined();
  });
});

describe('a CacheInterceptor with the session in its key', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ imports: [cachedBy(SessionCacheInterceptor)] });
  });
  afterAll(() => api.close());

  it('caches the answers of each session by themselves', async () => {
    const [first, second] = [await api.login(), await api.login()];
    const get = async (token?: string) =>
      (await api.request('GET', '/team/cached', token).expect(200)).body as object;
    const own = await get(first.access);
    expect(own).toMatchObject({ user: first.user.id });
    expect(await get(first.access)).toEqual(own);
    expect(await get(second.access)).toMatchObject({ user: second.user.id });
    expect(await get()).toMatchObject({ user: null });
    expect((await api.request('GET', '/auth/sessions', first.access)).headers['x-cache']).toBeUndefined();
  });
});
