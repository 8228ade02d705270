import { type INestApplication } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { Clock, Logins, lowerCased, UserStore } from '../auth/index.js';
import { Database } from '../database/index.js';
import { PasswordHasher } from '../passwords/password-hasher.js';
import { type TestClock } from './test-clock.js';
import { TestLogin, TestUser } from './test-user.js';
import { TEST_CALLER, TokenAgents } from './token-agents.js';

const PASSWORD = 'space-corgi';

/** That of `PASSWORD`, made once: users of tests are many, and a hash takes longer than most tests. */
let passwordHash: string | undefined;

/** A running application, and what a test does with it. */
export class TestApp {
  constructor(
    readonly app: INestApplication,
    readonly clock: TestClock,
    readonly close: () => Promise<void>,
  ) {}

  /** A provider, from whichever module. */
  get<T>(token: abstract new (...args: never[]) => T): T {
    return this.app.get<T>(token, { strict: false });
  }

  /** A request; with a token as `Authorization: Bearer`. */
  request(method: string, path: string, token?: string): request.Test {
    const agent = request(this.app.getHttpServer());
    const test = agent[method.toLowerCase() as 'get'](path);
    return token === undefined ? test : test.set('Authorization', `Bearer ${token}`);
  }

  /** Agents that send a token: `await app.as('cosmo').fresh()`. A user of that name is created if there is none. */
  as(who: TestUser | string): TokenAgents {
    return new TokenAgents(this, who);
  }

  /** A user, with the kit's password; by the name of one that exists, that one. Without a name, a new one. */
  async user(who: TestUser | string = `user-${randomUUID().slice(0, 18)}`): Promise<TestUser> {
    if (typeof who !== 'string') return who;
    const users = this.get(UserStore);
    // As every name is on its way in.
    const username = lowerCased(who);
    const account = { username, passwordHash: await this.hashOfPassword(), roles: [] };
    const createdAt = this.get(Clock).now();
    const user =
      (await users.findByUsername(username)) ??
      (await this.get(Database).inTransaction((tx) => users.create(tx, { ...account, createdAt }))) ??
      // Made meanwhile, by another agent of the same name.
      (await users.findByUsername(username));
    if (!user) throw new Error(`there is no user ${who}, and none could be made`);
    return new TestUser(this, user.id, user.username, PASSWORD);
  }

  private async hashOfPassword(): Promise<string> {
    passwordHash ??= await this.get(PasswordHasher).hash(PASSWORD);
    return passwordHash;
  }

  /** A new user's session, as a login opens it. */
  async login(): Promise<TestLogin> {
    const user = await this.user();
    return new TestLogin(this, user, await this.get(Logins).open(user.id, TEST_CALLER));
  }
}
