import { Injectable } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { RateLimits } from '../../rate-limits/rate-limits.js';
import { type User } from '../../users/user-store.js';
import { Accounts } from '../accounts/accounts.js';
import { ApiError } from '../errors/api-error.js';
import { AuthOptions } from '../options/auth-options.js';

/** Registration by username. */
@Injectable()
export class Registration {
  constructor(
    private readonly accounts: Accounts,
    private readonly limits: RateLimits,
    private readonly options: AuthOptions,
  ) {}

  /** Counts a registration, also one that fails later. @throws ApiError `registration_closed`; RateLimitedError */
  async admit(caller: Caller): Promise<void> {
    if (this.options.registration === 'closed') {
      throw new ApiError(403, 'registration_closed', 'Registration is closed');
    }
    await this.limits.register(caller);
  }

  /** @throws ApiError `registration_closed`, `validation_failed`, `username_taken`; RateLimitedError */
  async register(username: string, password: string, caller: Caller): Promise<User> {
    await this.admit(caller);
    return this.accounts.create({ username, password, roles: [] }, { caller });
  }
}
