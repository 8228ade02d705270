import { type TestAuthenticator } from '../../src/testing/index.js';
import { type TestApp, type TestLogin, type TestUser } from './create-test-app.js';

export interface Enrolled {
  user: TestUser;
  authenticator: TestAuthenticator;
  /** A session from before the second factor. */
  before: TestLogin;
}

/** A new user with an authenticator whose current code has not been used. */
export async function enrolled(api: TestApp): Promise<Enrolled> {
  const before = await api.login();
  const authenticator = await api.authenticator(before.user);
  return { user: before.user, authenticator, before };
}

export const loginWith = (api: TestApp, { username, password }: TestUser, codes: object = {}) =>
  api.request('POST', '/auth/login').send({ username, password, ...codes });

/** The challenge of a login that waits for its second factor. */
export async function challengeOf(api: TestApp, user: TestUser): Promise<string> {
  const { body } = await loginWith(api, user).expect(401);
  return (body as { challenge: string }).challenge;
}

export const answer = (api: TestApp, challenge: string, codes: object) =>
  api.request('POST', '/auth/login/factor').send({ challenge, ...codes });
