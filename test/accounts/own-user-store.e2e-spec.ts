import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { decode } from 'jsonwebtoken';
import { type Generated, type Kysely, type Selectable } from 'kysely';
import { APP_OPTIONS, configureApp } from '../../src/app.setup.js';
import { type TokenPairDto } from '../../src/auth/dto/token-pair.dto.js';
import {
  AccountAdmin,
  Accounts,
  AuthModule,
  type NewUser,
  type SeenUser,
  type User,
  type UserChange,
  type UserQuery,
  UserStore,
} from '../../src/auth/index.js';
import { loadConfig } from '../../src/app.config.js';
import {
  Database,
  DatabaseModule,
  type Migrations,
  openDatabase,
  type Tx,
} from '../../src/database/index.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { Clock } from '../../src/time/clock.js';
import { TestApp, TestLogin, TestUser } from '../support/create-test-app.js';
import { createTestDatabase, describeEachEngine, type TestDatabase } from '../support/engines.js';
import { ADAPTER, createNamedAdapter } from '../support/adapters.js';
import { expectError } from '../support/expect-error.js';
import { TestClock } from '../../src/testing/index.js';

/** A team's own table: other names, numbers for ids, a flag, and one role at most. */
interface MembersTable {
  nr: Generated<number>;
  login: string;
  secret: string;
  version: number;
  job: string | null;
  locked: number;
  since: number;
}

declare module '../../src/database/index.js' {
  interface Tables {
    members: MembersTable;
  }
}

const memberMigrations = (serial: 'serial' | 'integer'): Migrations => ({
  '2026-01-01.1-members': {
    async up(db: Kysely<unknown>) {
      await db.schema
        .createTable('members')
        .addColumn('nr', serial, (c) => c.primaryKey())
        .addColumn('login', 'text', (c) => c.notNull().unique())
        .addColumn('secret', 'text', (c) => c.notNull())
        .addColumn('version', 'integer', (c) => c.notNull())
        .addColumn('job', 'text')
        .addColumn('locked', 'integer', (c) => c.notNull().defaultTo(0))
        .addColumn('since', 'bigint', (c) => c.notNull())
        .execute();
    },
  },
});

@Injectable()
class Members implements UserStore {
  constructor(private readonly db: Database) {}

  async create(tx: Tx, user: NewUser): Promise<User | undefined> {
    const row = await tx
      .insertInto('members')
      .values({
        login: user.username,
        secret: user.passwordHash,
        version: 1,
        job: user.roles[0] ?? null,
        locked: 0,
        since: user.createdAt,
      })
      .onConflict((conflict) => conflict.column('login').doNothing())
      .returningAll()
      .executeTakeFirst();
    return row && toUser(row);
  }

  async findById(id: string, db: Tx | Database = this.db): Promise<User | undefined> {
    if (!/^[1-9]\d{0,8}$/.test(id)) return undefined;
    const row = await db.selectFrom('members').selectAll().where('nr', '=', Number(id)).executeTakeFirst();
    return row && toUser(row);
  }

  async findByUsername(username: string): Promise<User | undefined> {
    const row = await this.db
      .selectFrom('members')
      .selectAll()
      .where('login', '=', username)
      .executeTakeFirst();
    return row && toUser(row);
  }

  async usernames(ids: string[]): Promise<Map<string, string>> {
    const rows = await this.db.selectFrom('members').selectAll().execute();
    return new Map(
      rows.filter(({ nr }) => ids.includes(String(nr))).map(({ nr, login }) => [String(nr), login]),
    );
  }

  async list(
    { limit, after = '', text = '', role, disabled }: UserQuery,
    db: Tx | Database = this.db,
  ): Promise<User[]> {
    const rows = await db
      .selectFrom('members')
      .selectAll()
      .where('login', '>', after)
      .where('login', 'like', `%${text}%`)
      .$if(role !== undefined, (query) => query.where('job', '=', role ?? ''))
      .$if(disabled !== undefined, (query) => query.where('locked', '=', disabled ? 1 : 0))
      .orderBy('login')
      .limit(limit)
      .execute();
    return rows.map(toUser);
  }

  async lockIfUnchanged(tx: Tx, user: SeenUser): Promise<boolean> {
    return this.set(tx, user, { version: user.credentialVersion });
  }

  async update(tx: Tx, user: SeenUser, { passwordHash, roles, disabledAt }: UserChange): Promise<boolean> {
    return this.set(tx, user, {
      version: user.credentialVersion + 1,
      ...(passwordHash === undefined ? {} : { secret: passwordHash }),
      ...(roles === undefined ? {} : { job: roles[0] ?? null }),
      ...(disabledAt === undefined ? {} : { locked: disabledAt === null ? 0 : 1 }),
    });
  }

  async upgradeHash(tx: Tx, user: SeenUser, passwordHash: string): Promise<boolean> {
    return this.set(tx, user, { secret: passwordHash });
  }

  async delete(tx: Tx, id: string): Promise<void> {
    await tx.deleteFrom('members').where('nr', '=', Number(id)).execute();
  }

  private async set(tx: Tx, user: SeenUser, columns: Partial<Selectable<MembersTable>>): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('members')
      .set(columns)
      .where('nr', '=', Number(user.id))
      .where('version', '=', user.credentialVersion)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }
}

function toUser(row: Selectable<MembersTable>): User {
  return {
    id: String(row.nr),
    username: row.login,
    passwordHash: row.secret,
    credentialVersion: row.version,
    roles: row.job === null ? [] : [row.job],
    disabledAt: row.locked ? row.since : null,
    createdAt: row.since,
  };
}

describeEachEngine('an application with its own user store', (engine) => {
  let api: TestApp;
  let database: TestDatabase;
  beforeAll(async () => {
    database = await createTestDatabase(engine);
    const config = loadConfig({ NODE_ENV: 'test' });
    const clock = new TestClock();
    const testing = await Test.createTestingModule({
      imports: [
        DatabaseModule.forRoot(openDatabase(database.url)),
        DatabaseModule.forFeature(memberMigrations(engine === 'postgres' ? 'serial' : 'integer')),
        // As docs/users.md shows it.
        AuthModule.forRoot({
          keys: generateKeySet(),
          tokens: { issuer: 'team', audience: 'team' },
          providers: [{ provide: UserStore, useClass: Members }],
        }),
      ],
    })
      .overrideProvider(Clock)
      .useValue(clock)
      .compile();
    const app = testing.createNestApplication(await createNamedAdapter(ADAPTER), {
      ...APP_OPTIONS,
      logger: false,
    });
    await configureApp(app, config).listen(0, '127.0.0.1');
    api = new TestApp(app, clock, async () => {
      await app.close();
      await database.drop();
    });
  });
  afterAll(() => api.close());

  const loginAs = async (user: TestUser, password: string) => {
    const { body } = await api
      .request('POST', '/auth/login')
      .send({ username: user.username, password })
      .expect(200);
    return new TestLogin(api, new TestUser(api, user.id, user.username, password), body as TokenPairDto);
  };

  it('has no table of ours for users', async () => {
    const tables = (await api.get(Database).introspection.getTables()).map(({ name }) => name);
    expect(tables).toEqual(expect.arrayContaining(['members', 'sessions', 'audit_events']));
    expect(tables).not.toContain('users');
    expect(api.get(UserStore)).toBeInstanceOf(Members);
  });

  it('supports an account from registration to deletion', async () => {
    const user = await api.user();
    expect(user.id).toMatch(/^\d+$/);
    const { username, password } = user;
    expectError(
      await api.request('POST', '/auth/register').send({ username, password }),
      409,
      'username_taken',
    );

    const login = await user.login();
    expect(decode(login.access)).toMatchObject({ sub: user.id, fresh: true });
    const other = await user.login();
    await login.rotate();
    expectError(await login.tryReauthenticate(login.refresh, 'wrong'), 401, 'invalid_credentials');
    await login.reauthenticate();
    expect((await api.request('GET', '/auth/sessions', login.access).expect(200)).body).toHaveLength(2);

    const change = { current_password: password, new_password: 'lunar-dachshund' };
    await api.request('PUT', '/auth/password', login.access).send(change).expect(200);
    expectError(await other.tryRefresh(other.refresh), 401, 'token_revoked');
    expectError(
      await api.request('POST', '/auth/login').send({ username, password }),
      401,
      'invalid_credentials',
    );

    const last = await loginAs(user, 'lunar-dachshund');
    const accounts = api.get(Accounts);
    expect(await accounts.usernames([user.id])).toEqual(new Map([[user.id, username]]));
    const { sub, sid, jti } = decode(last.access) as { sub: string; sid: string; jti: string };
    const proof = { fresh: true, authTime: 0, acr: 'pwd', amr: ['pwd'] } as const;
    const principal = { userId: sub, sessionId: sid, tokenId: jti, roles: [], ...proof };
    await accounts.delete(principal, { ip: null, userAgent: null, requestId: null });
    expectError(await last.tryRefresh(last.refresh), 401, 'token_revoked');
    expectError(await api.request('GET', '/auth/sessions', last.access), 401, 'token_revoked');
    expect(
      await api.get(Database).selectFrom('members').selectAll().where('login', '=', username).execute(),
    ).toEqual([]);
  });

  it('gives roles from its own column, and disables in its own way', async () => {
    const admin = api.get(AccountAdmin);
    const [boss, member] = [await api.user(), await api.login()];
    await admin.grant(boss.username, 'admin');
    const login = await boss.login();
    const path = `/admin/users/${member.user.id}/sessions`;
    expect((await api.request('GET', path, login.access).expect(200)).body).toHaveLength(1);
    expectError(await api.request('GET', '/admin/users/nobody/sessions', login.access), 404, 'not_found');
    await admin.disable(member.user.username);
    expectError(await member.tryRefresh(member.refresh), 401, 'token_revoked');
    expect((await admin.list()).map(({ username }) => username)).toContain(member.user.username);
  });
});
