import type request from 'supertest';
import { type TokenPairDto } from '../auth/internals.js';
import { type TestApp } from './test-app.js';

/** An account, with the kit's password unless it was created otherwise. */
export class TestUser {
  constructor(
    private readonly app: TestApp,
    readonly id: string,
    readonly username: string,
    readonly password: string,
  ) {}

  /** Logs in over HTTP, which hashes the password. */
  async login(): Promise<TestLogin> {
    const { username, password } = this;
    const response = await this.app.request('POST', '/auth/login').send({ username, password }).expect(200);
    return new TestLogin(this.app, this, response.body as TokenPairDto);
  }
}

/**
 * One session of a user, holding its newest tokens: `access` is fresh until the first refresh. Sends them as
 * `Authorization: Bearer`; for an application that reads tokens elsewhere use `TokenAgents`.
 */
export class TestLogin {
  access: string;
  refresh: string;

  constructor(
    private readonly app: TestApp,
    readonly user: TestUser,
    pair: Pick<TokenPairDto, 'access_token' | 'refresh_token'>,
  ) {
    this.access = pair.access_token;
    this.refresh = pair.refresh_token;
  }

  /** Refreshes and keeps the new pair, so that `access` is not fresh. */
  async rotate(idempotencyKey?: string): Promise<TokenPairDto> {
    return this.adopt(await this.tryRefresh(this.refresh, idempotencyKey).expect(200));
  }

  /** Proves the password and keeps the new pair, so that `access` is fresh. */
  async reauthenticate(idempotencyKey?: string): Promise<TokenPairDto> {
    return this.adopt(
      await this.tryReauthenticate(this.refresh, this.user.password, idempotencyKey).expect(200),
    );
  }

  tryRefresh(token: string, idempotencyKey?: string): request.Test {
    const test = this.app.request('POST', '/auth/refresh', token);
    return idempotencyKey === undefined ? test : test.set('Idempotency-Key', idempotencyKey);
  }

  tryReauthenticate(token: string, password: string, idempotencyKey?: string): request.Test {
    const test = this.app.request('POST', '/auth/reauthenticate', token).send({ password });
    return idempotencyKey === undefined ? test : test.set('Idempotency-Key', idempotencyKey);
  }

  private adopt(response: request.Response): TokenPairDto {
    const pair = response.body as TokenPairDto;
    this.access = pair.access_token;
    this.refresh = pair.refresh_token;
    return pair;
  }
}
