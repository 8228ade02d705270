import { type TokenPairDto } from '../auth/internals.js';
import { type CeremonyOptions, type SoftwareAuthenticator } from './software-authenticator.js';
import { type TestApp } from './test-app.js';
import { TestLogin, type TestUser } from './test-user.js';

/** The options of a ceremony, as the server answers them. */
interface Begun {
  challenge: string;
  public_key: { challenge: string };
}

/** A passkey of a user: `const passkey = await app.as('cosmo').passkey()`. No browser is needed. */
export class TestPasskey {
  constructor(
    private readonly app: TestApp,
    readonly user: TestUser,
    /** As `GET /auth/factors` lists it. */
    readonly id: string,
    readonly authenticator: SoftwareAuthenticator,
  ) {}

  /** Logs in by passkey over HTTP: a session whose access token is fresh, of the level `phr`. */
  async login(given: CeremonyOptions = {}): Promise<TestLogin> {
    const begun = await this.app.request('POST', '/auth/login/passkey/options').send({}).expect(200);
    const { challenge, public_key } = begun.body as Begun;
    const response = this.authenticator.get(public_key, given);
    const answer = await this.app
      .request('POST', '/auth/login/passkey')
      .send({ challenge, response })
      .expect(200);
    return new TestLogin(this.app, this.user, answer.body as TokenPairDto);
  }

  /** Steps up by passkey in a session of the user, and keeps the new pair there: its access token is fresh, of the level `phr`. */
  async stepUp(login: TestLogin, given: CeremonyOptions = {}): Promise<void> {
    const begun = await this.app
      .request('POST', '/auth/reauthenticate/options', login.refresh)
      .send({})
      .expect(200);
    const { challenge, public_key } = begun.body as Begun;
    const passkey = this.authenticator.get(public_key, given);
    const answer = await this.app
      .request('POST', '/auth/reauthenticate', login.refresh)
      .send({ challenge, passkey })
      .expect(200);
    const { access_token, refresh_token } = answer.body as TokenPairDto;
    login.access = access_token;
    login.refresh = refresh_token;
  }
}
