import { Body, Controller, Delete, Get, Module, Post } from '@nestjs/common';
import { IsString } from 'class-validator';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AssertionError } from 'node:assert';
import { Access, CurrentUser, FreshAccess, type Principal, Refresh, Roles } from '../../src/auth/index.js';
import { createTestApp, expectChallenge, type TestApp, TestClock } from '../../src/testing/index.js';
import { ADAPTER, createNamedAdapter } from '../support/adapters.js';

@Controller('probe')
class ProbeController {
  @Get()
  access(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @FreshAccess({ maxAge: '5m' })
  @Delete()
  fresh(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Refresh()
  @Get('refresh')
  refresh(@CurrentUser() user: Principal): Principal {
    return user;
  }

  @Access()
  @Roles('admin')
  @Get('admin')
  admin(@CurrentUser() user: Principal): Principal {
    return user;
  }
}

class NoteDto {
  @IsString()
  readonly text!: string;
}

@Controller('notes')
class NoteController {
  @Post()
  create(@Body() body: NoteDto): NoteDto {
    return body;
  }
}

describe('the test kit, on an application that it makes', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await createTestApp({
      controllers: [ProbeController],
      adapter: await createNamedAdapter(ADAPTER),
      applicationOptions: { bodyParser: false },
    });
  });
  afterAll(() => app.close());

  it('gives each token that it names', async () => {
    const cosmo = app.as('cosmo');
    const fresh = await cosmo.fresh();
    const { body } = await fresh.delete('/probe').expect(200);
    expect(body).toMatchObject({ userId: fresh.user.id, fresh: true, roles: [] });

    const stale = await cosmo.stale();
    await stale.get('/probe').expect(200);
    expectChallenge(await stale.delete('/probe'), { maxAge: '5m' });

    const expired = await cosmo.expired();
    const refused = await expired.get('/probe');
    expectChallenge(refused, { error: 'invalid_token', errorCode: 'token_expired' });
    expect(refused.body.message).toBe('Token has expired');

    const refresh = await cosmo.refresh();
    await refresh.get('/probe/refresh').expect(200);
    expectChallenge(await refresh.get('/probe'), { errorCode: 'token_wrong_type' });
    await refresh.post('/auth/refresh').expect(200);

    expectChallenge(await (await cosmo.revoked()).get('/probe'), { errorCode: 'token_revoked' });
    // Each in a session of its own: none of these has ended another.
    await fresh.get('/probe').expect(200);
  });

  it('gives roles, and the user keeps them', async () => {
    const laika = app.as('laika');
    expectChallenge(await (await laika.fresh()).get('/probe/admin'), { errorCode: 'insufficient_role' });
    const admin = await laika.role('admin').stale();
    expect((await admin.get('/probe/admin').expect(200)).body.roles).toEqual(['admin']);
    await (await laika.role('ops').fresh()).get('/probe/admin').expect(200);
  });

  it('knows one user by one name, and makes others', async () => {
    const [one, same] = await Promise.all([app.as('belka').fresh(), app.as('belka').refresh()]);
    expect(same.user.id).toBe(one.user.id);
    const strelka = await app.user();
    expect((await app.as(strelka).fresh()).user).toBe(strelka);
    expect(strelka.id).not.toBe(one.user.id);
    // The password is real, too.
    await (await strelka.login()).rotate();
  });

  it('moves the time, for tokens and for proofs', async () => {
    const fresh = await app.as('cosmo').fresh();
    app.clock.advance('5m');
    await fresh.delete('/probe').expect(200);
    app.clock.advance(1000);
    expectChallenge(await fresh.delete('/probe'), { maxAge: 300_000 });
    app.clock.advance('10m');
    expectChallenge(await fresh.get('/probe'), { errorCode: 'token_expired' });
  });

  it('makes expired tokens beside others, and neither disturbs the other', async () => {
    const agents = await Promise.all(
      [1, 2, 3].flatMap(() => [app.as('cosmo').expired(), app.as('cosmo').fresh()]),
    );
    const answers = await Promise.all(agents.map((agent) => agent.get('/probe')));
    expect(answers.map(({ status }) => status)).toEqual([401, 200, 401, 200, 401, 200]);
  });
});

describe('the test kit', () => {
  it('takes options and hooks, and a leeway makes no expired token valid', async () => {
    const auth = { tokens: { leeway: '30s', accessTtl: '1m' }, freshMaxAge: '10s' };
    const app = await createTestApp({ controllers: [ProbeController], auth });
    try {
      await (await app.as('cosmo').fresh()).get('/probe').expect(200);
      expectChallenge(await (await app.as('cosmo').expired()).get('/probe'), { errorCode: 'token_expired' });
    } finally {
      await app.close();
    }
  });

  it('sends tokens where the application looks for them', async () => {
    const places = [
      { locations: { order: ['cookie'] as const } },
      { locations: { headerName: 'X-Token', headerScheme: '' } },
    ];
    for (const auth of places) {
      const app = await createTestApp({ controllers: [ProbeController], auth });
      try {
        await (await app.as('cosmo').fresh()).delete('/probe').expect(200);
        await (await app.as('cosmo').refresh()).post('/auth/refresh').expect(200);
      } finally {
        await app.close();
      }
    }
  });

  it('writes names as they are on their way in', async () => {
    const app = await createTestApp();
    try {
      const admin = await app.as('Laika').role('admin').fresh();
      expect(admin.user.username).toBe('laika');
      await admin.user.login();
    } finally {
      await app.close();
    }
  });

  it('validates bodies as the server does', async () => {
    const app = await createTestApp({ controllers: [NoteController] });
    try {
      const cosmo = await app.as('cosmo').stale();
      await cosmo.post('/notes').send({ text: 'a note' }).expect(201);
      await cosmo.post('/notes').send({ text: 5 }).expect(400);
      await cosmo.post('/notes').send({ text: 'a note', more: 1 }).expect(400);
      await cosmo.post('/notes').type('form').send({ text: 'a note' }).expect(415);
    } finally {
      await app.close();
    }
  });

  it('does not take options for what another module brings', async () => {
    @Module({})
    class Whole {}
    await expect(createTestApp({ root: Whole, databaseUrl: ':memory:' })).rejects.toThrow(
      'cannot be combined with root',
    );
  });

  it('leaves nothing behind when the application does not start', async () => {
    let closed = 0;
    const onClosed = async () => void closed++;
    const options = { auth: { tokens: { accessTtl: 'soon' } }, onClosed };
    await expect(createTestApp(options)).rejects.toThrow('tokens.accessTtl');
    const failing = () => {
      throw new Error('not like this');
    };
    await expect(createTestApp({ configure: failing, onClosed })).rejects.toThrow('not like this');
    expect(closed).toBe(2);
  });

  it('says which places an agent cannot send to', async () => {
    const app = await createTestApp({ auth: { locations: { order: ['query'] } } });
    try {
      await expect(app.as('cosmo').fresh()).rejects.toThrow('this application reads query');
    } finally {
      await app.close();
    }
  });

  it('shows what came where another challenge was expected', async () => {
    const app = await createTestApp({ controllers: [ProbeController] });
    try {
      const agent = await app.as('cosmo').stale();
      const [open, step, missing] = [
        await agent.get('/probe'),
        await agent.delete('/probe'),
        await app.request('GET', '/probe'),
      ];
      expectChallenge(missing, { errorCode: 'token_missing' });
      expectChallenge(step);
      expect(() => expectChallenge(open)).toThrow(/expected a challenge, got 200/);
      expect(() => expectChallenge(step, { maxAge: '1m' })).toThrow(AssertionError);
      expect(() => expectChallenge(missing, { error: 'invalid_token' })).toThrow(AssertionError);
      expect(() => expectChallenge(step, { errorCode: 'token_expired' })).toThrow(/fresh_token_required/);
    } finally {
      await app.close();
    }
  });
});

describe('a TestClock', () => {
  it('stands still, moves by durations, and shows the past to one alone', async () => {
    const clock = new TestClock();
    const start = clock.now();
    expect(start % 1000).toBe(0);
    clock.advance('1h');
    clock.advance(-1000);
    expect(clock.now() - start).toBe(3_599_000);
    const seen = await Promise.all([
      clock.ago(5000, async () => clock.now()),
      Promise.resolve().then(() => clock.now()),
    ]);
    expect(seen.map((time) => time - start)).toEqual([3_594_000, 3_599_000]);
  });
});
