import { type INestApplication } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import request from 'supertest';
import { Clock, Logins, lowerCased, UserStore } from '../auth/index.js';
import { Database } from '../database/index.js';
import { MailSender } from '../mail/index.js';
import { PasswordHasher } from '../passwords/password-hasher.js';
import { TestAuthenticator } from './test-authenticator.js';
import { type TestClock } from './test-clock.js';
import { TestMailer, TestMails } from './test-mails.js';
import { TestLogin, TestUser } from './test-user.js';
import { TEST_CALLER, TokenAgents } from './token-agents.js';

const PASSWORD = 'space-corgi';

/** The hash of `PASSWORD`, computed once, because hashing takes longer than most tests. */
let passwordHash: string | undefined;

/** A running application with helpers for tests. */
export class TestApp {
  /** The mails that the application has sent. They stay in this process. */
  readonly mails: TestMails;
  private readonly authenticators = new Map<string, TestAuthenticator>();

  constructor(
    readonly app: INestApplication,
    readonly clock: TestClock,
    readonly close: () => Promise<void>,
    mailer = new TestMailer(),
  ) {
    this.mails = new TestMails(mailer, () => this.get(MailSender));
  }

  /** Returns a provider of any module. */
  get<T>(token: abstract new (...args: never[]) => T): T {
    return this.app.get<T>(token, { strict: false });
  }

  /** Makes a request, with the token as `Authorization: Bearer`. */
  request(method: string, path: string, token?: string): request.Test {
    const agent = request(this.app.getHttpServer());
    const test = agent[method.toLowerCase() as 'get'](path);
    return token === undefined ? test : test.set('Authorization', `Bearer ${token}`);
  }

  /** Agents that send a token: `await app.as('cosmo').fresh()`. Creates the user if the name is unknown. */
  as(who: TestUser | string): TokenAgents {
    return new TokenAgents(this, who);
  }

  /**
   * Returns the user of that name, or creates one with the kit's password. Without a name, creates a new one. An e-mail
   * address as the name creates an account without a username.
   * @param email a proved address of the new user
   */
  async user(
    who: TestUser | string = `user-${randomUUID().slice(0, 18)}`,
    { email }: { email?: string } = {},
  ): Promise<TestUser> {
    if (typeof who !== 'string') return who;
    const users = this.get(UserStore);
    // Lower case, as every username in a request.
    const username = lowerCased(who);
    const address = email ?? (username.includes('@') ? username : null);
    const account = { username, email: address, passwordHash: await this.hashOfPassword(), roles: [] };
    const createdAt = this.get(Clock).now();
    const user =
      (await users.findByUsername(username)) ??
      (await this.get(Database).inTransaction((tx) => users.create(tx, { ...account, createdAt }))) ??
      // Another agent of the same name may have created the user meanwhile.
      (await users.findByUsername(username));
    if (!user) throw new Error(`user ${who} does not exist and could not be created`);
    return new TestUser(this, user.id, user.username, PASSWORD);
  }

  /**
   * The authenticator of a user, added with the first call as a client adds it: `await app.authenticator('cosmo')`, then
   * `.code()`. The application must have a module for second factors.
   */
  async authenticator(who: TestUser | string): Promise<TestAuthenticator> {
    const user = await this.user(who);
    const known = this.authenticators.get(user.id);
    if (known) return known;
    const agent = await this.as(user).fresh();
    const enrolled = await agent.post('/auth/factors/otp').send({}).expect(201);
    const { id, otpauth_uri } = enrolled.body as { id: string; otpauth_uri: string };
    const authenticator = new TestAuthenticator(otpauth_uri, this.get(Clock));
    // The code of the previous step, so that the current code can still be used.
    const otp = authenticator.code(-1);
    const confirmed = await agent.post(`/auth/factors/otp/${id}/confirm`).send({ otp }).expect(200);
    authenticator.recoveryCodes = (confirmed.body as { recovery_codes: string[] }).recovery_codes;
    this.authenticators.set(user.id, authenticator);
    return authenticator;
  }

  private async hashOfPassword(): Promise<string> {
    passwordHash ??= await this.get(PasswordHasher).hash(PASSWORD);
    return passwordHash;
  }

  /** Opens a session of a new user, as a login does. */
  async login(): Promise<TestLogin> {
    const user = await this.user();
    return new TestLogin(this, user, await this.get(Logins).open(user.id, TEST_CALLER));
  }
}
