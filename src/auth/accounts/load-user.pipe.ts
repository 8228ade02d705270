import { Injectable, type PipeTransform } from '@nestjs/common';
import { TokenError } from '../../tokens/token.errors.js';
import { UserLoader } from '../hooks.js';
import { type Principal } from '../request/principal.js';

/**
 * `@CurrentUser(LoadUser) account: Account`: what the application's `UserLoader` makes of the principal. A pipe, so
 * it comes after every guard; handlers that do not ask pay nothing.
 */
@Injectable()
export class LoadUser<TUser> implements PipeTransform<Principal | null, Promise<TUser | null>> {
  /** By principal, of which every request has its own: several parameters, one lookup. */
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
