import { AsyncLocalStorage } from 'node:async_hooks';
import {
  type CanActivate,
  Controller,
  Get,
  Injectable,
  type MiddlewareConsumer,
  Module,
  type ModuleMetadata,
  type NestModule,
} from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { describe, expect, it } from '@jest/globals';
import { AuthModule, FreshAccess } from '../../../src/auth/index.js';
import { DatabaseModule, openDatabase } from '../../../src/database/index.js';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { createTestApp } from '../../../src/testing/index.js';
import { ADAPTER, createNamedAdapter } from '../../support/adapters.js';
import { testAuthOptions } from '../../../src/testing/test-auth-options.js';

const storage = new AsyncLocalStorage<{ id: number }>();
let count = 0;

/** As `nestjs-cls` mounts its guard: the context is entered, and is to last for the rest of the request. */
@Injectable()
class ContextGuard implements CanActivate {
  canActivate(): boolean {
    storage.enterWith({ id: ++count });
    return true;
  }
}

@Controller('context')
class ContextController {
  @Get()
  show(): object {
    return { has: storage.getStore() !== undefined };
  }

  @FreshAccess()
  @Get('fresh')
  fresh(): object {
    return { has: storage.getStore() !== undefined };
  }
}

@Module({ providers: [{ provide: APP_GUARD, useClass: ContextGuard }] })
class GuardMounted {}

/** As `nestjs-cls` mounts its middleware. */
@Module({})
class MiddlewareMounted implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    const enter = (_request: unknown, _response: unknown, next: () => void) =>
      storage.run({ id: ++count }, next);
    consumer.apply(enter).forRoutes('*path');
  }
}

const ours = () => [
  DatabaseModule.forRoot(openDatabase(':memory:')),
  AuthModule.forRoot(testAuthOptions({ keys: generateKeySet() })),
];

/** What four requests of one token see: at first its signature is verified, later it is known. */
async function seen(imports: NonNullable<ModuleMetadata['imports']>): Promise<unknown[]> {
  @Module({ imports, controllers: [ContextController] })
  class TeamModule {}
  const api = await createTestApp({
    root: TeamModule,
    adapter: await createNamedAdapter(ADAPTER),
    applicationOptions: { bodyParser: false },
  });
  try {
    const { access } = await api.login();
    const bodies: unknown[] = [];
    for (const path of ['/context', '/context', '/context/fresh', '/context/fresh'])
      bodies.push((await api.request('GET', path, access).expect(200)).body);
    return bodies;
  } finally {
    await api.close();
  }
}

describe('an async context of the application', () => {
  it('that a middleware enters is there for every handler', async () => {
    const has = { has: true };
    expect(await seen([...ours(), MiddlewareMounted])).toEqual([has, has, has, has]);
    expect(await seen([MiddlewareMounted, ...ours()])).toEqual([has, has, has, has]);
  });

  it('that a guard enters is lost after ours for every request, as after any asynchronous guard', async () => {
    const has = { has: false };
    expect(await seen([...ours(), GuardMounted])).toEqual([has, has, has, has]);
    expect(await seen([GuardMounted, ...ours()])).toEqual([has, has, has, has]);
  });
});
