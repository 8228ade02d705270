import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AccessGuard } from '../access/access.guard.js';
import { requestOf } from '../auth-request.js';
import { bearerToken } from '../bearer-token.js';
import { FreshAccessGuard } from '../fresh-access/fresh-access.guard.js';
import { RefreshGuard } from '../refresh/refresh.guard.js';
import { TokenVerifier } from '../../tokens/token-verifier.js';
import { policyOf } from './auth-policy.js';
import { requireRole, rolesOf } from './roles.decorator.js';

/**
 * The one global guard: reads what the route declares and hands over to the Passport guard for it. One
 * dispatcher, because a global access guard would refuse the refresh token before a `RefreshGuard` saw it.
 */
@Injectable()
export class AuthPolicyGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: TokenVerifier,
    private readonly access: AccessGuard,
    private readonly freshAccess: FreshAccessGuard,
    private readonly refresh: RefreshGuard,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const accepted = await this.accepts(context);
    requireRole(rolesOf(this.reflector, context.getHandler(), context.getClass()), requestOf(context).user);
    return accepted;
  }

  private async accepts(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') throw new Error('AuthPolicyGuard protects HTTP routes only');
    const policy = policyOf(this.reflector, context.getHandler(), context.getClass());
    const request = requestOf(context);
    request.authPolicy = policy;
    switch (policy.level) {
      case 'public':
        return true;
      case 'access':
        return this.access.canActivate(context);
      case 'optional-access':
        return bearerToken(request) === null || this.access.canActivate(context);
      case 'fresh-access':
        return this.freshAccess.canActivate(context);
      case 'refresh':
        return this.refresh.canActivate(context);
      case 'access-or-refresh': {
        const token = bearerToken(request);
        const kind = token === null ? 'access' : this.verifier.keyFor(token).kind;
        return kind === 'access' ? this.access.canActivate(context) : this.refresh.canActivate(context);
      }
    }
  }
}
