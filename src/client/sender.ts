import { type Challenge, challengeOf } from './challenge.js';
import { errorOf } from './errors.js';
import { type Call, SessionKeeper } from './session-keeper.js';
import { defaultStore, type Store, type StoredSession } from './stored-session.js';

/** The proof that a person is asked for. */
export interface StepUp extends Challenge {
  /** What the user can prove with: `password`, and `otp`, `recovery_code`, `passkey` where they are set up. */
  factors: string[];
}

export interface ClientOptions {
  /** The address of the API, like `https://api.example`. Tokens are sent to its origin alone. */
  baseUrl: string;
  /** `header`: the client keeps the tokens. `cookie`: the browser does, and no script can read them. */
  mode: 'header' | 'cookie';
  /** Default: `localStorage`; the memory of the page where the browser offers none. */
  store?: Store;
  /**
   * Asks the person for a proof and calls `reauthenticate`. It is called once for all requests that wait; then each of them is
   * repeated once. `false` declines: the requests answer with the refusal.
   */
  onStepUp?: (challenge: StepUp) => Promise<boolean | void>;
  /** The session is over: `token_revoked`, `refresh_token_reused`, `token_expired`, or `signed_out` in another tab. */
  onSignedOut?: (reason: string) => void;
}

/** Milliseconds. A refresh that takes longer is repeated with the same key. */
const TIMEOUT = 15_000;

/** The part of the client that sends: `fetch` with tokens, and calls of the API that answer JSON. */
export class Sender {
  readonly keeper: SessionKeeper;
  private readonly base: URL;
  private asking: Promise<boolean> | undefined;

  constructor(private readonly options: ClientOptions) {
    const { location } = globalThis as { location?: { href: string } };
    this.base = new URL(options.baseUrl.replace(/\/?$/, '/'), location?.href);
    this.keeper = new SessionKeeper(
      options.store ?? defaultStore(),
      async (call) => this.send(call, AbortSignal.timeout(TIMEOUT)),
      options.mode === 'cookie',
      (reason) => options.onSignedOut?.(reason),
    );
  }

  /**
   * `fetch` as the user who is logged in. Refreshes the tokens, and asks for a proof where the route requires one.
   * @param input a path below `baseUrl`, like `/transfers`, or a whole address there
   * @throws SignedOutError without sending anything
   * @throws TypeError when the address is of another origin, or the body is a stream, which could not be sent again
   */
  readonly fetch = async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    if (typeof ReadableStream === 'function' && init.body instanceof ReadableStream)
      throw new TypeError('a stream cannot be sent again after a refresh; send a string, Blob or FormData');
    const url = this.addressOf(input);
    const { response, session } = await this.sendFresh(url, init);
    const challenge = challengeOf(response);
    const { onStepUp } = this.options;
    if (!challenge || !onStepUp) return response;
    if (!this.keeper.hasProvedSince(session)) {
      this.asking ??= this.ask(challenge, onStepUp).finally(() => (this.asking = undefined));
      if (!(await this.asking)) return response;
    }
    return (await this.sendFresh(url, init)).response;
  };

  /** Calls a route as the user who is logged in. @throws ApiError, SignedOutError */
  async request(method: string, path: string, body?: unknown): Promise<Response> {
    const response = await this.fetch(path, asJson(method, body));
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /** The same, for its JSON. */
  async call<T>(method: string, path: string, body?: unknown): Promise<T> {
    return read(await this.request(method, path, body));
  }

  /** Calls a public route, or one that takes this token. @throws ApiError */
  async post<T>(path: string, body: unknown, token?: string): Promise<T> {
    return read(await this.send({ method: 'POST', path, body, token }));
  }

  /** Opens a session. @throws ApiError */
  async login(path: string, body: unknown): Promise<void> {
    const device = await this.keeper.device();
    const headers: Record<string, string> = device === null ? {} : { 'X-Device-Token': device };
    const response = await this.send({ method: 'POST', path, body, headers });
    if (!response.ok) throw await errorOf(response);
    await this.keeper.begin(response);
  }

  /** Sends one request, without refreshing or storing tokens. */
  async send({ method, path, body, headers, token }: Call, signal?: AbortSignal): Promise<Response> {
    const { headers: type, ...init } = asJson(method, body);
    return this.transmit(
      this.addressOf(path),
      { ...init, headers: { ...type, ...headers }, ...(signal ? { signal } : {}) },
      token,
    );
  }

  private addressOf(input: string | URL): URL {
    const url = new URL(typeof input === 'string' ? input.replace(/^\/(?!\/)/, '') : input, this.base);
    if (!url.href.startsWith(this.base.href))
      throw new TypeError(`${url.href} is not below ${this.base.href}, where the tokens may be sent`);
    return url;
  }

  /** Sends with the current tokens, and again with new ones if they are refused. */
  private async sendFresh(
    url: URL,
    init: RequestInit,
  ): Promise<{ response: Response; session: StoredSession }> {
    let session = await this.keeper.current();
    let response = await this.transmit(url, init, session.accessToken);
    // Twice, because the first refresh may only correct the turn of the cookies.
    for (let i = 0; i < 2 && response.status === 401 && (await this.isRefusedToken(response)); i++) {
      session = await this.keeper.after(session);
      response = await this.transmit(url, init, session.accessToken);
    }
    return { response, session };
  }

  private async transmit(url: URL, init: RequestInit, token: string | undefined): Promise<Response> {
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set('Authorization', `Bearer ${token}`);
    const credentials = this.options.mode === 'cookie' ? 'include' : 'omit';
    return fetch(url, { ...init, headers, credentials });
  }

  /** In cookie mode a missing token counts as refused, because a browser deletes an expired cookie. */
  private async isRefusedToken(response: Response): Promise<boolean> {
    if (/error="invalid_token"/.test(response.headers.get('WWW-Authenticate') ?? '')) return true;
    return this.options.mode === 'cookie' && (await errorOf(response)).errorCode === 'token_missing';
  }

  private async ask(
    challenge: Challenge,
    onStepUp: NonNullable<ClientOptions['onStepUp']>,
  ): Promise<boolean> {
    const { response } = await this.sendFresh(this.addressOf('/auth/factors'), {});
    const factors = ['password'];
    if (response.ok) factors.push(...namesOf((await response.json()) as EnrolledFactors));
    return (await onStepUp({ ...challenge, factors })) !== false;
  }
}

interface EnrolledFactors {
  otp?: unknown[];
  passkeys?: unknown[];
  recovery_codes_left?: number;
}

function namesOf({ otp = [], passkeys = [], recovery_codes_left: codes = 0 }: EnrolledFactors): string[] {
  return [otp.length && 'otp', codes && 'recovery_code', passkeys.length && 'passkey'].filter(
    (name) => typeof name === 'string',
  );
}

function asJson(method: string, body: unknown): RequestInit & { headers: Record<string, string> } {
  if (body === undefined) return { method, headers: {} };
  return { method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
}

async function read<T>(response: Response): Promise<T> {
  if (!response.ok) throw await errorOf(response);
  return (response.status === 204 || response.status === 202 ? undefined : await response.json()) as T;
}
