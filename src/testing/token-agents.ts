import request from 'supertest';
import {
  type Acr,
  AccountAdmin,
  Authenticator,
  AuthOptions,
  type Caller,
  type IssuedPair,
  type LoginOptions,
  Logins,
  SessionsService,
} from '../auth/index.js';
import { FactorRegistry } from '../auth/internals.js';
import { RelyingParty } from '../passkeys/index.js';
import { type TokenKind } from '../tokens/token-claims.js';
import { SoftwareAuthenticator } from './software-authenticator.js';
import { type TestApp } from './test-app.js';
import { TestPasskey } from './test-passkey.js';
import { type TestUser } from './test-user.js';

/** A supertest agent that sends its token with every request. */
export type TokenAgent = ReturnType<typeof request.agent> & { token: string; user: TestUser };

export const TEST_CALLER: Caller = { ip: '127.0.0.1', userAgent: null, requestId: null };

/**
 * A user with any token that a test needs, each in its own session and issued by the production service:
 * `const cosmo = await app.as('cosmo').fresh(); await cosmo.get('/profile').expect(200)`.
 */
export class TokenAgents {
  constructor(
    private readonly app: TestApp,
    private readonly who: TestUser | string,
    private readonly roles: readonly string[] = [],
    private readonly hasOtp = false,
  ) {}

  /** The factors of the user: `await app.as('cosmo').with.otp().fresh()`. */
  readonly with = {
    /**
     * An authenticator; `app.authenticator('cosmo')` shows its codes. Tokens are then of the level `mfa`, if no other is
     * given: there are no fresh ones below it.
     */
    otp: (): TokenAgents => new TokenAgents(this.app, this.who, this.roles, true),
  };

  /**
   * A new passkey of the user, added as a browser adds it: `const passkey = await app.as('cosmo').passkey()`, then
   * `await passkey.login()`. Needs a header or cookie location as all agents do, and a module for passkeys.
   */
  async passkey({ name }: { name?: string } = {}): Promise<TestPasskey> {
    const user = await this.app.user(this.who);
    const acr = await this.app.get(FactorRegistry).strongest(user.id);
    const agent = await this.fresh({ acr: this.hasOtp && acr === 'pwd' ? 'mfa' : acr });
    const begun = await agent.post('/auth/passkeys/options').send({}).expect(200);
    const { challenge, public_key } = begun.body as { challenge: string; public_key: { challenge: string } };
    const [origin = ''] = this.app.get(RelyingParty).origins;
    const authenticator = new SoftwareAuthenticator(origin);
    const response = authenticator.create(public_key);
    const added = await agent
      .post('/auth/passkeys')
      .send({ challenge, response, ...(name === undefined ? {} : { name }) })
      .expect(201);
    return new TestPasskey(this.app, user, (added.body as { id: string }).id, authenticator);
  }

  /** Grants roles to the user. */
  role(...roles: string[]): TokenAgents {
    return new TokenAgents(this.app, this.who, [...this.roles, ...roles], this.hasOtp);
  }

  /** An access token from a proof just now: of a password, or of the level that is given. */
  async fresh({ acr }: { acr?: Acr } = {}): Promise<TokenAgent> {
    return this.agent('access', ({ access_token }) => access_token, acr);
  }

  /** An access token that is not fresh, as refreshing gives it. */
  async stale({ acr }: { acr?: Acr } = {}): Promise<TokenAgent> {
    const logins = this.app.get(Logins);
    const choose = async ({ sessionId }: IssuedPair) => (await logins.accessToken(sessionId)).access_token;
    return this.agent('access', choose, acr);
  }

  /** An access token that expired a second ago; its session lives. */
  async expired(): Promise<TokenAgent> {
    const { accessTtl, leeway } = this.app.get(AuthOptions).tokens;
    return this.app.clock.ago(accessTtl + leeway + 1000, () => this.fresh());
  }

  /** The live refresh token of a session. */
  async refresh(): Promise<TokenAgent> {
    return this.agent('refresh', ({ refresh_token }) => refresh_token);
  }

  /** An access token of a session that has been logged out. */
  async revoked(): Promise<TokenAgent> {
    const agent = await this.fresh();
    const { principal } = await this.app.get(Authenticator).access(agent.token);
    await this.app.get(SessionsService).logout(principal, TEST_CALLER);
    return agent;
  }

  private async agent(
    kind: TokenKind,
    choose: (pair: IssuedPair) => string | Promise<string>,
    acr: Acr = this.hasOtp ? 'mfa' : 'pwd',
  ): Promise<TokenAgent> {
    const user = await this.app.user(this.who);
    for (const role of this.roles) await this.app.get(AccountAdmin).grant(user.username, role);
    if (this.hasOtp) await this.app.authenticator(user);
    const token = await choose(await this.app.get(Logins).open(user.id, TEST_CALLER, proofOf(acr)));
    const agent = request.agent(this.app.app.getHttpServer());
    const headers = headersWith(token, kind, this.app.get(AuthOptions));
    for (const [name, value] of Object.entries(headers)) agent.set(name, value);
    return Object.assign(agent, { token, user });
  }
}

const AMR: Record<Acr, string[]> = { pwd: ['pwd'], mfa: ['pwd', 'otp', 'mfa'], phr: ['pop', 'user', 'mfa'] };

function proofOf(acr: Acr): LoginOptions {
  return { acr, amr: AMR[acr] };
}

/** The headers that send a token to the application's first location; for a cookie, as a page of its own site does. */
function headersWith(
  token: string,
  kind: TokenKind,
  { locations, cookies }: AuthOptions,
): Record<string, string> {
  const { order, headerName, headerScheme } = locations;
  switch (order.find((location) => location === 'header' || location === 'cookie')) {
    case 'header':
      return { [headerName]: `${headerScheme} ${token}`.trim() };
    case 'cookie':
      return { Cookie: `${cookies[`${kind}Name`]}=${token}`, 'Sec-Fetch-Site': 'same-origin' };
    default:
      throw new Error(`agents send tokens in a header or a cookie; this application reads ${order.join()}`);
  }
}
