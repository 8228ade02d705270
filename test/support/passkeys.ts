import { type CeremonyOptions, type TestPasskey } from '../../src/testing/index.js';
import { type TestApp } from './create-test-app.js';

/** The options of a ceremony, as the server answers them. */
export interface Begun {
  challenge: string;
  public_key: { challenge: string; rp?: { id: string }; rpId?: string; user?: { id: string } };
}

export const loginOptions = async (api: TestApp): Promise<Begun> =>
  (await api.request('POST', '/auth/login/passkey/options').send({}).expect(200)).body as Begun;

export const stepUpOptions = async (api: TestApp, refresh: string): Promise<Begun> =>
  (await api.request('POST', '/auth/reauthenticate/options', refresh).send({}).expect(200)).body as Begun;

export const creationOptions = async (api: TestApp, access: string): Promise<Begun> =>
  (await api.request('POST', '/auth/passkeys/options', access).send({}).expect(200)).body as Begun;

/** Answers the options of a login. */
export const logIn = (
  api: TestApp,
  { authenticator }: TestPasskey,
  { challenge, public_key }: Begun,
  given: CeremonyOptions = {},
) =>
  api
    .request('POST', '/auth/login/passkey')
    .send({ challenge, response: authenticator.get(public_key, given) });

/** Answers the options of a step-up. */
export const stepUp = (
  api: TestApp,
  refresh: string,
  { authenticator }: TestPasskey,
  { challenge, public_key }: Begun,
  given: CeremonyOptions = {},
) =>
  api
    .request('POST', '/auth/reauthenticate', refresh)
    .send({ challenge, passkey: authenticator.get(public_key, given) });
