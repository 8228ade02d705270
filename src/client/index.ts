import { type components } from './api.js';
import { createPasskey, type PasskeyOptions, usePasskey } from './passkeys.js';
import { Sender, type ClientOptions } from './sender.js';

export { ApiError, errorOf, SignedOutError } from './errors.js';
export { type ClientOptions, type StepUp } from './sender.js';
export { type Store } from './stored-session.js';

type Schemas = components['schemas'];
type Account = Schemas['AccountDto'];
/** What proves who the user is: the password, and a code of a second factor where the user has one. */
type Proof = Schemas['ReauthenticateDto'];
/** Members of a login and of every proof, for users with a second factor: one of them. */
interface Codes {
  otp?: string;
  recovery_code?: string;
}

export type Client = ReturnType<typeof createClient>;

/**
 * A client of this API for browsers, Node and React Native: it refreshes tokens, repeats requests that failed because of
 * them, and asks for a new proof where a route requires one. Its methods throw an `ApiError` for a refusal and a
 * `SignedOutError` without a session.
 */
export function createClient(options: ClientOptions) {
  const sender = new Sender(options);
  const { keeper } = sender;
  return {
    fetch: sender.fetch,

    /**
     * Creates an account; it opens no session. By username: the account. By e-mail address: undefined, and a mail to prove
     * the address.
     */
    register: async (body: { username?: string; email?: string; password: string }) =>
      sender.post<Account | undefined>('/auth/register', body),
    confirmRegistration: async (token: string) => sender.post<Account>('/auth/register/confirm', { token }),
    /** @throws ApiError `second_factor_required`, whose body has the `challenge` and the `factors` of `loginWithFactor` */
    login: async (body: Schemas['LoginDto'] & Codes) => sender.login('/auth/login', body),
    loginWithFactor: async (body: Schemas['FactorLoginDto']) => sender.login('/auth/login/factor', body),
    /** Proves again who the user is: the access token is fresh afterwards. */
    reauthenticate: async (body: Proof & Codes) => keeper.prove(body),
    /** Forgets the tokens at once, then revokes the session. @throws TypeError if the server could not be reached */
    logout: async (): Promise<void> => {
      const session = await keeper.end();
      const token = session?.refreshToken;
      if (options.mode === 'header' && token === undefined) return;
      await sender.send({ method: 'POST', path: '/auth/logout', token });
    },
    /** Revokes every session of the user, this one too. */
    logoutAll: async (): Promise<void> => {
      await sender.call('POST', '/auth/logout-all');
      await keeper.end();
    },
    changePassword: async (body: Schemas['ChangePasswordDto'] & Codes): Promise<void> => {
      const before = await keeper.current();
      const response = await sender.request('PUT', '/auth/password', body);
      await keeper.begin(response, before);
    },

    /** Sends a mail with a link, if there is such an account with a proved address. */
    forgotPassword: async (username: string) => sender.post<void>('/auth/password/forgot', { username }),
    /** With the token of that link. Every session ends; log in afterwards. */
    resetPassword: async (body: Schemas['ResetPasswordDto']) =>
      sender.post<void>('/auth/password/reset', body),

    /** Sends a mail to the new address; the old one stays until `verifyEmail`. */
    changeEmail: async (email: string) => sender.call<void>('PUT', '/auth/email', { email }),
    verifyEmail: async (proof: Schemas['VerifyEmailDto']) =>
      sender.call<void>('POST', '/auth/email/verify', proof),
    /** With the token of the notice to the old address. Every session ends. */
    undoEmailChange: async (token: string) => sender.post<void>('/auth/email/undo', { token }),

    factors: async () => sender.call<Schemas['FactorsDto']>('GET', '/auth/factors'),
    enrolOtp: async (name?: string) =>
      sender.call<Schemas['EnrolledOtpDto']>('POST', '/auth/factors/otp', name === undefined ? {} : { name }),
    confirmOtp: async (id: string, otp: string) =>
      sender.call<Schemas['RecoveryCodesDto']>(
        'POST',
        `/auth/factors/otp/${encodeURIComponent(id)}/confirm`,
        {
          otp,
        },
      ),
    removeOtp: async (id: string) =>
      sender.call<void>('DELETE', `/auth/factors/otp/${encodeURIComponent(id)}`),
    renewRecoveryCodes: async () =>
      sender.call<Schemas['RecoveryCodesDto']>('POST', '/auth/factors/recovery-codes'),

    /** Asks the browser for a new passkey of the user. Needs a fresh token of the strongest level. */
    addPasskey: async (name?: string) => {
      const path = '/auth/passkeys';
      const asked = await sender.call<PasskeyOptions>('POST', `${path}/options`, {});
      const body = { challenge: asked.challenge, response: await createPasskey(asked), name };
      return sender.call<Schemas['PasskeyDto']>('POST', path, body);
    },
    renamePasskey: async (id: string, name: string) =>
      sender.call<Schemas['PasskeyDto']>('PATCH', `/auth/passkeys/${encodeURIComponent(id)}`, { name }),
    removePasskey: async (id: string) =>
      sender.call<void>('DELETE', `/auth/passkeys/${encodeURIComponent(id)}`),
    loginWithPasskey: async () => {
      const path = '/auth/login/passkey';
      const asked = await sender.post<PasskeyOptions>(`${path}/options`, {});
      return sender.login(path, { challenge: asked.challenge, response: await usePasskey(asked) });
    },
    /** Proves again who the user is, with a passkey instead of the password. */
    reauthenticateWithPasskey: async () => {
      const { refreshToken } = await keeper.current();
      const asked = await sender.post<PasskeyOptions>('/auth/reauthenticate/options', {}, refreshToken);
      return keeper.prove({ challenge: asked.challenge, passkey: await usePasskey(asked) });
    },

    sessions: async () => sender.call<Schemas['SessionDto'][]>('GET', '/auth/sessions'),
    revokeSession: async (id: string) =>
      sender.call<void>('DELETE', `/auth/sessions/${encodeURIComponent(id)}`),

    profile: async () => sender.call<Schemas['ProfileDto']>('GET', '/profile'),
    rename: async (username: string) => sender.call<Account>('PATCH', '/profile', { username }),
    deleteAccount: async (): Promise<void> => {
      await sender.call('DELETE', '/profile');
      await keeper.end();
    },
  };
}
