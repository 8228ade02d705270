import { decode, type JwtPayload } from 'jsonwebtoken';
import { type Route } from '../../src/auth/internals.js';
import { AccountAdmin } from '../../src/auth/accounts/account-admin.js';
import { type TokenKind } from '../../src/tokens/token-claims.js';
import { type TestApp, type TestLogin } from './create-test-app.js';
import { type RawAnswer } from './raw-http.js';
import { showToken, TOKEN_KINDS } from './token-kinds.js';
import { type Shown } from '../hard/fuzz/inputs.js';

type Role = 'fresh' | 'stale' | 'admin';

/** Requests may use these tokens up; all other tokens always get the same answer. */
const USED_UP: ReadonlySet<Shown> = new Set(['right', 'fresh access', 'stale access', 'refresh', 'admin']);
const LASTING = TOKEN_KINDS.filter((kind) => kind !== 'none' && !USED_UP.has(kind));
/** After these codes, the token may be of no use any more. */
const SPENT = /^(?:token_revoked|token_expired|refresh_token_reused|fresh_token_required)$/;

/** Routes that need a mail or an authenticator, or a user who has one: their own tests open them. */
const NEEDS_MORE =
  /^\/auth\/(email\/(undo|verify)|password\/reset|register\/confirm|login\/(factor|passkey)|passkeys(\/:id)?|reauthenticate\/options|factors\/(otp\/:id.*|recovery-codes))$|\/reset-(factors|password)$/;

let names = 0;

/** The users and tokens of a fuzzed application. Replaces what the inputs use up. */
export class Cast {
  private readonly logins = new Map<Role, TestLogin>();
  private readonly lasting = new Map<string, string | undefined>();

  private constructor(private readonly api: TestApp) {}

  static async gather(api: TestApp): Promise<Cast> {
    const cast = new Cast(api);
    for (const role of ['fresh', 'stale', 'admin'] as const) await cast.enter(role);
    for (const kind of LASTING) {
      for (const wanted of ['access', 'refresh'] as const)
        cast.lasting.set(`${kind} ${wanted}`, await showToken(api, kind, wanted));
    }
    return cast;
  }

  /** @returns undefined for none */
  tokenOf(shown: Shown, route: Route, junk: string): string | undefined {
    const wanted = kindFor(route);
    if (shown === 'none') return undefined;
    if (shown === 'junk') return junk;
    const lasting = this.lasting.get(`${shown} ${wanted}`);
    if (lasting !== undefined) return lasting;
    const login = this.loginOf(shown, route);
    return shown === 'refresh' || (shown === 'right' && wanted === 'refresh') ? login.refresh : login.access;
  }

  /** Whether it has all that a good request to the route needs. False for a team's own routes, which may need anything. */
  knows({ path }: Route): boolean {
    return /^\/(\.well-known|admin|auth|health|profile|transfers)\b/.test(path) && !NEEDS_MORE.test(path);
  }

  /** The id that a route with a parameter asks for. */
  ownId({ path }: Route): string {
    const { user, access } = this.login('fresh');
    return path.includes('users') ? user.id : String((decode(access) as JwtPayload)['sid']);
  }

  goodBody({ method, path }: Route): string | null {
    const { username, password } = this.login('fresh').user;
    const bodies: Record<string, object> = {
      'POST /auth/register': { username: `fuzz-${++names}`, password: 'first-in-orbit' },
      'POST /auth/login': { username, password },
      'POST /auth/reauthenticate': { password },
      'POST /auth/passkeys/options': {},
      'POST /auth/login/passkey/options': {},
      'POST /auth/password/forgot': { username },
      'PUT /auth/email': { email: `fuzz-${++names}@example.com` },
      'PATCH /profile': { username },
      'POST /admin/users': { email: `made-${++names}@example.com` },
      'PUT /auth/password': { current_password: password, new_password: 'lunar-dachshund' },
      // example:begin
      'POST /transfers': { to: this.login('admin').user.username, amount: 1 },
      // example:end
    };
    const body = bodies[`${method} ${path}`];
    return body === undefined ? null : JSON.stringify(body);
  }

  /** Replaces what an answer says is used up: tokens, sessions, accounts. */
  async recover(shown: Shown, route: Route, { status, body }: RawAnswer): Promise<void> {
    if (!USED_UP.has(shown)) return;
    const code = String(body?.['errorCode']);
    const isSpent = SPENT.test(code) && !(shown === 'stale access' && code === 'fresh_token_required');
    if (status < 300 ? route.method === 'GET' : !isSpent) return;
    if (typeof body?.['refresh_token'] === 'string') {
      const login = this.loginOf(shown, route);
      login.access = String(body['access_token']);
      login.refresh = body['refresh_token'];
    }
    for (const [role, login] of this.logins) {
      const { status: found } = await this.api.request('GET', '/profile', login.access);
      // A session that lives may have spent its token, or lost or found its freshness.
      if (found !== 200 || login === this.loginOf(shown, route)) await this.enter(role);
    }
  }

  private async enter(role: Role): Promise<void> {
    const login = await this.logInAgain(role);
    if (role === 'stale') await login.rotate();
    this.logins.set(role, login);
  }

  private async logInAgain(role: Role): Promise<TestLogin> {
    try {
      return await this.login(role).user.login();
    } catch {
      // There is no user yet, or the account was deleted or has another password.
      const user = await this.api.user();
      if (role === 'admin') await this.api.get(AccountAdmin).grant(user.username, 'admin');
      return user.login();
    }
  }

  private loginOf(shown: Shown, { roles }: Route): TestLogin {
    if (shown === 'admin' || (shown === 'right' && roles.length > 0)) return this.login('admin');
    return this.login(shown === 'stale access' ? 'stale' : 'fresh');
  }

  private login(role: Role): TestLogin {
    const login = this.logins.get(role);
    if (!login) throw new Error(`nobody plays ${role} yet`);
    return login;
  }
}

export function kindFor({ policy }: Route): TokenKind {
  return policy.level === 'refresh' ? 'refresh' : 'access';
}
