import { Injectable, type PipeTransform } from '@nestjs/common';
import { TokenError } from '../../tokens/token.errors.js';
import { UserLoader } from '../hooks.js';
import { type Principal } from '../request/principal.js';

/**
 * `@CurrentUser(LoadUser) account: Account` loads the user of the principal with the application's `UserLoader`. A pipe,
 * because pipes run after every guard, and only handlers that use it pay for it.
 */
@Injectable()
export class LoadUser<TUser> implements PipeTransform<Principal | null, Promise<TUser | null>> {
  /** By principal, which is new with each request: several parameters share one look-up. */
  private readonly loaded = new WeakMap<Principal, Promise<TUser>>();

  constructor(private readonly loader: UserLoader<TUser>) {}

  /** @returns null for an anonymous request. @throws TokenError `token_revoked` if the user no longer exists */
  async transform(principal: Principal | null): Promise<TUser | null> {
    if (principal === null) return null;
    const known = this.loaded.get(principal) ?? this.load(principal);
    this.loaded.set(principal, known);
    return known;
  }

  private async load(principal: Principal): Promise<TUser> {
    const user = await this.loader.load(principal);
    if (user === null)
      throw new TokenError('token_revoked', `account ${principal.userId} could not be loaded`);
    return user;
  }
}
