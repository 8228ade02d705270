import { Body, Controller, Get, HttpCode, type MessageEvent, Post, Res, Sse } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { IsInt } from 'class-validator';
import { type Observable, of } from 'rxjs';
import { Access, ApiError, CurrentUser, FreshAccess, type Principal } from '../../src/auth/index.js';
import { expectChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp, type TestLogin } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

declare module '../../src/auth/index.js' {
  interface ErrorCodes {
    sold_out: 409;
  }
}

class ActDto {
  @IsInt()
  readonly n!: number;
}

let calls = 0;

@Controller('team')
class TeamController {
  @FreshAccess()
  @Get('default')
  byDefault(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess({ maxAge: '5m' })
  @Get('five-minutes')
  fiveMinutes(): object {
    return {};
  }

  @FreshAccess({ maxAge: '1s' })
  @Get('one-second')
  oneSecond(): object {
    return {};
  }

  @FreshAccess({ once: true, maxAge: '5m' })
  @Post('once')
  once(@Body() { n }: ActDto): object {
    calls++;
    if (n === 409) throw new ApiError(409, 'sold_out', 'Sold out');
    if (n === 500) throw new Error('the handler broke');
    return { n };
  }

  @FreshAccess({ once: true })
  @Post('another-once')
  @HttpCode(200)
  anotherOnce(): object {
    return {};
  }

  @FreshAccess({ once: true })
  @Get('once')
  read(): object {
    return {};
  }

  @FreshAccess({ once: true })
  @Sse('stream')
  stream(): Observable<MessageEvent> {
    return of({ data: 'an event' });
  }

  @FreshAccess({ once: true })
  @Post('own-status')
  ownStatus(@Res({ passthrough: true }) response: { status(code: number): unknown }): object {
    response.status(422);
    return {};
  }
}

@FreshAccess({ once: true })
@Controller('fresh-class')
class FreshClassController {
  @Post('inherits')
  inherits(): object {
    return {};
  }

  @FreshAccess({ once: true, maxAge: '5m' })
  @Post('says-it-again')
  saysItAgain(): object {
    return {};
  }

  @Access()
  @Get('overrides')
  overrides(): object {
    return {};
  }
}

describeEachEngine('fresh access', (engine) => {
  let api: TestApp;
  let login: TestLogin;
  beforeAll(async () => {
    api = await createTestApp({ engine, controllers: [TeamController, FreshClassController] });
  });
  beforeEach(async () => {
    login = await api.login();
  });
  afterAll(() => api.close());

  const get = (path: string) => api.request('GET', path, login.access);
  const act = (n: number, path = '/team/once') => api.request('POST', path, login.access).send({ n });

  it('accepts a fresh token and passes its user to the handler', async () => {
    const { body } = await get('/team/default').expect(200);
    expect(body).toEqual({
      userId: login.user.id,
      sessionId: expect.any(String),
      tokenId: expect.any(String),
      acr: 'pwd',
      amr: ['pwd'],
      fresh: true,
      authTime: api.clock.now() / 1000,
      roles: [],
    });
  });

  it('requires a step-up after a refresh, and accepts the token of a reauthentication', async () => {
    await login.rotate();
    expectChallenge(await get('/team/default'), { maxAge: '15m' });
    expectChallenge(await get('/team/five-minutes'), { maxAge: '5m' });
    await login.reauthenticate();
    await get('/team/five-minutes').expect(200);
  });

  it('lasts until the max age of the route, to the second', async () => {
    api.clock.advance('5m');
    await get('/team/five-minutes').expect(200);
    api.clock.advance('1s');
    expectChallenge(await get('/team/five-minutes'), { maxAge: '5m' });
    await get('/team/default').expect(200);
  });

  it('cannot be renewed by activity', async () => {
    const { access } = login;
    for (let i = 0; i < 29; i++) {
      api.clock.advance('10s');
      await api.request('GET', '/team/five-minutes', access).expect(200);
      await api.request('GET', '/profile', access).expect(200);
      if (i % 5 === 0) await login.rotate();
    }
    api.clock.advance('11s');
    expectChallenge(await api.request('GET', '/team/five-minutes', access), { maxAge: '5m' });
    expectChallenge(await get('/team/five-minutes'), { maxAge: '5m' });
  });

  it('asks for a max age that a step-up can satisfy, even when it is the shortest possible', async () => {
    // The proof is written in whole seconds: it must not be over with the second in which it was made.
    api.clock.advance(999 - (api.clock.now() % 1000));
    for (let i = 0; i < 3; i++) {
      await login.reauthenticate();
      await get('/team/one-second').expect(200);
      api.clock.advance(1_000);
      await get('/team/one-second').expect(200);
      api.clock.advance(1_000);
      expectChallenge(await get('/team/one-second'), { maxAge: '1s' });
    }
    api.clock.advance(1);
  });

  it('does not make another device fresh', async () => {
    const other = await login.user.login();
    await other.rotate();
    await login.reauthenticate();
    expectChallenge(await api.request('GET', '/team/default', other.access), { maxAge: '15m' });
  });

  it('refuses a fresh token as soon as its session is revoked', async () => {
    await get('/team/default').expect(200);
    await api.request('POST', '/auth/logout', login.refresh).expect(204);
    expectError(await get('/team/default'), 401, 'token_revoked');
  });

  it('answers token_expired for an expired token, not fresh_token_required', async () => {
    api.clock.advance('15m');
    expectError(await get('/team/default'), 401, 'token_expired');
  });

  describe('once', () => {
    it('is checked before an event stream begins', async () => {
      const first = await api.request('GET', '/team/stream', login.access).expect(200);
      expect(first.text).toContain('an event');
      expectChallenge(await api.request('GET', '/team/stream', login.access), { maxAge: '15m' });
    });

    it('is not used up by HEAD, which accepts no used token either', async () => {
      await api.request('HEAD', '/team/once', login.access).expect(200);
      await api.request('GET', '/team/once', login.access).expect(200);
      await api.request('HEAD', '/team/once', login.access).expect(401);
    });

    it('needs nothing in a unit test of its controller', async () => {
      const unit = await Test.createTestingModule({ controllers: [TeamController] }).compile();
      expect(unit.get(TeamController).read()).toEqual({});
    });

    it('accepts a token for one success', async () => {
      await act(1).expect(201);
      expectChallenge(await act(1), { maxAge: '5m' });
    });

    it('holds across routes, and for one token only', async () => {
      await act(1).expect(201);
      expectChallenge(await act(0, '/team/another-once'), { maxAge: '15m' });
      await get('/team/default').expect(200);
      await login.reauthenticate();
      await act(0, '/team/another-once').expect(200);
    });

    it('lets exactly one of 20 parallel requests through', async () => {
      calls = 0;
      const answers = await Promise.all(Array.from({ length: 20 }, () => act(1)));
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        201,
        ...Array<number>(19).fill(401),
      ]);
      expect(calls).toBe(1);
    });

    it('gives the token back when the handler answers 4xx, also for a body that validation refuses', async () => {
      expectError(await act(409), 409, 'sold_out');
      expectError(
        await api.request('POST', '/team/once', login.access).send({ n: 'x' }),
        400,
        'validation_failed',
      );
      await act(0, '/team/own-status').expect(422);
      await act(1).expect(201);
    });

    it('keeps the token used when the handler fails with a 500, because its effects are unknown', async () => {
      expectError(await act(500), 500, 'internal_error');
      expectChallenge(await act(1), { maxAge: '5m' });
    });

    it('is not used up by a request that is refused before the handler', async () => {
      const stale = (await login.rotate()).access_token;
      expectChallenge(await api.request('POST', '/team/once', stale).send({ n: 1 }), { maxAge: '5m' });
      await login.reauthenticate();
      await act(1).expect(201);
    });

    it('is inherited from the class, unless the handler declares something else', async () => {
      await get('/fresh-class/overrides').expect(200);
      await get('/fresh-class/overrides').expect(200);
      await act(0, '/fresh-class/inherits').expect(201);
      expectChallenge(await act(0, '/fresh-class/inherits'), { maxAge: '15m' });
      expectChallenge(await act(0, '/fresh-class/says-it-again'), { maxAge: '5m' });
      await login.reauthenticate();
      await act(0, '/fresh-class/says-it-again').expect(201);
      await get('/fresh-class/overrides').expect(200);
    });
  });
});
