import { Injectable } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { RateLimits } from '../../rate-limits/rate-limits.js';
import { type User } from '../../users/user-store.js';
import { Accounts } from '../accounts/accounts.js';
import { ApiError } from '../errors/api-error.js';
import { AuthOptions } from '../options/auth-options.js';
import { Devices } from './devices.js';
import { Logins } from './logins.js';
import { invalidCredentials, PasswordVerifier } from './password-verifier.js';
import { TokenPairs } from './token-pairs.js';
import { type IssuedPair } from '../dto/token-pair.dto.js';

/** RFC 8176: a password. */
const AMR = ['pwd'];

/** Registration and login. */
@Injectable()
export class LoginService {
  constructor(
    private readonly accounts: Accounts,
    private readonly passwords: PasswordVerifier,
    private readonly limits: RateLimits,
    private readonly devices: Devices,
    private readonly logins: Logins,
    private readonly pairs: TokenPairs,
    private readonly options: AuthOptions,
  ) {}

  /** @throws ApiError `registration_closed`, `rate_limited`, `validation_failed`, `username_taken` */
  async register(username: string, password: string, caller: Caller): Promise<User> {
    if (this.options.registration === 'closed') {
      throw new ApiError(403, 'registration_closed', 'Registration is closed');
    }
    await this.limits.register(caller);
    return this.accounts.create({ username, password, roles: [] }, { caller });
  }

  /**
   * Opens a session and issues a fresh token pair for it. Every failure looks the same and takes the same time.
   * @param devices the device tokens that the client presents
   * @throws ApiError `invalid_credentials`, `rate_limited`
   */
  async login(
    username: string,
    password: string,
    devices: readonly string[],
    caller: Caller,
  ): Promise<IssuedPair> {
    const user = await this.passwords.atLogin(username, password, devices, caller);
    const contents = await this.pairs.contents(user);
    const session = await this.logins.openUnlessChanged(user, caller, { amr: AMR });
    if (!session) throw invalidCredentials('the user changed during the login');
    const pair = this.pairs.issue(session, contents, { fresh: true });
    return { ...pair, device: this.devices.issue(user.id) };
  }
}
