import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, type OnModuleInit } from '@nestjs/common';
import { type Kysely } from 'kysely';
import {
  AccessOrRefresh,
  ApiError,
  AuditLog,
  Clock,
  Logins,
  ProofRules,
  Public,
} from '../../src/auth/index.js';
import { Database, DatabaseModule, Purger, PURGE_MARGIN_MS } from '../../src/database/index.js';
import { TEST_CALLER } from '../../src/testing/token-agents.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';

/*
 * A capability as docs/decisions/0023-capabilities.md says: logins are refused after hours. It brings a table, a rule, a
 * purge, a listener and a route, and `auth/` knows nothing of it.
 */

interface LateVisitsTable {
  id: string;
  at: number;
}

declare module '../../src/auth/index.js' {
  interface ErrorCodes {
    after_hours: 403;
  }
}

declare module '../../src/database/index.js' {
  interface Tables {
    late_visits: LateVisitsTable;
  }
}

@Injectable()
class OfficeHours implements OnModuleInit {
  open = true;
  readonly heard: string[] = [];

  constructor(
    private readonly proofs: ProofRules,
    private readonly purger: Purger,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    this.proofs.add({
      check: async (user, { amr }, tx) => {
        const row = {
          id: `${user.id} ${amr.join()} ${this.clock.now()} ${Math.random()}`,
          at: this.clock.now(),
        };
        await tx.insertInto('late_visits').values(row).execute();
        if (!this.open) throw new ApiError(403, 'after_hours', 'Come back in the morning');
      },
    });
    this.purger.add({
      what: 'late visits',
      table: 'late_visits',
      key: 'id',
      selectDead: (tx, cutoff) => tx.selectFrom('late_visits').select('id').where('at', '<', cutoff),
    });
    this.audit.listen(({ event }) => this.heard.push(event));
  }
}

@Controller('hours')
class HoursController {
  constructor(private readonly hours: OfficeHours) {}

  @Public()
  @Get()
  show() {
    return { open: this.hours.open };
  }

  @AccessOrRefresh()
  @Get('mine')
  mine() {
    return {};
  }
}

@Module({
  imports: [
    DatabaseModule.forFeature({
      '2026-11-28.9-late-visits': {
        up: (db: Kysely<unknown>) =>
          db.schema
            .createTable('late_visits')
            .addColumn('id', 'text', (c) => c.primaryKey())
            .addColumn('at', 'bigint', (c) => c.notNull())
            .execute(),
      },
    }),
  ],
  controllers: [HoursController],
  providers: [OfficeHours],
})
class OfficeHoursModule {}

describeEachEngine('a capability, by its one line', (engine) => {
  let api: TestApp;
  afterEach(() => api.close());
  const start = async (withIt: boolean) => {
    api = await createTestApp({ engine, ...(withIt ? { imports: [OfficeHoursModule] } : {}) });
  };
  const visits = async () => api.get(Database).selectFrom('late_visits').select('id').execute();

  it('is asked at every way in and every renewed proof, and a refusal leaves nothing behind', async () => {
    await start(true);
    const hours = api.get(OfficeHours);
    const login = await api.login();
    await login.reauthenticate();
    expect(await visits()).toHaveLength(2);
    hours.open = false;

    const { user } = login;
    const { username, password } = user;
    const body = { current_password: password, new_password: 'lunar-dachshund' };
    const refused = [
      await api.request('POST', '/auth/login').send({ username, password }),
      await login.tryReauthenticate(login.refresh, password),
      await api.request('PUT', '/auth/password', login.access).send(body),
    ];
    for (const each of refused) expectError(each, 403, 'after_hours');
    await expect(api.get(Logins).open(user.id, TEST_CALLER)).rejects.toMatchObject({
      errorCode: 'after_hours',
    });
    expect(await visits()).toHaveLength(2);

    hours.open = true;
    await login.rotate();
    await api.request('GET', '/profile', login.access).expect(200);
    await user.login();
  });

  it('brings routes under the same guard, rows that are purged, and hears what happened', async () => {
    await start(true);
    const login = await api.login();
    await api.request('GET', '/hours').expect(200, { open: true });
    expectError(await api.request('GET', '/hours/mine'), 401, 'token_missing');
    await api.request('GET', '/hours/mine', login.access).expect(200);
    expect(api.get(OfficeHours).heard).toEqual(['authn_login_success']);
    // Real time: nothing is purged while the clocks differ.
    api.clock.advance(Date.now() - api.clock.now());
    await api
      .get(Database)
      .updateTable('late_visits')
      .set({ at: api.clock.now() - PURGE_MARGIN_MS - 1 })
      .execute();
    expect(await api.get(Purger).run()).toBe(1);
  });

  it('is gone without its line', async () => {
    await start(false);
    const login = await api.login();
    expectError(await api.request('GET', '/hours', login.access), 404, 'not_found');
    await login.reauthenticate();
  });
});

describe('a rule that is added', () => {
  it('is asked in the order of adding, up to the first that refuses', async () => {
    const rules = new ProofRules();
    const asked: number[] = [];
    for (const each of [1, 2, 3])
      rules.add({
        check: () => {
          asked.push(each);
          if (each === 2) throw new Error('no');
        },
      });
    const method = { acr: 'pwd', amr: ['pwd'] } as const;
    const check = rules.prove({} as never, { method }, 0, {} as never);
    await expect(check).rejects.toThrow('no');
    expect(asked).toEqual([1, 2]);
  });
});
