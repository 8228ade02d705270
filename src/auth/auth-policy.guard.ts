import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TokenError } from '../tokens/token.errors.js';
import { TokenVerifier } from '../tokens/token-verifier.js';
import { AccessGuard } from './access/access.guard.js';
import { CsrfCheck } from './cookies/csrf-check.js';
import { TokenCookies } from './cookies/token-cookies.js';
import { setRefusalHeaders } from './errors/refusal-headers.js';
import { FreshAccessGuard } from './fresh-access/fresh-access.guard.js';
import { OnceInterceptor } from './fresh-access/once.interceptor.js';
import { type TokenGuard } from './guard/passport-bridge.js';
import { type RoutePolicy, RoutePolicies } from './guard/route-policies.js';
import { TokenReader } from './guard/token-reader.js';
import { AuthOptions } from './options/auth-options.js';
import { RefreshGuard } from './refresh/refresh.guard.js';
import { type AuthPolicy, KINDS_OF } from './request/auth-policy.js';
import { type AuthRequest, requestOf, responseOf } from './request/auth-request.js';
import { requireRole } from './roles/roles.decorator.js';
import { isEventStream } from './streams/event-stream.interceptor.js';

type GuardedRoute = RoutePolicy & { policy: Exclude<AuthPolicy, { level: 'public' }> };

/**
 * The one global guard: reads the route's policy, finds the token, and calls the Passport guard of that policy. One
 * dispatcher, because a global access guard would refuse a refresh token before a `RefreshGuard` saw it.
 */
@Injectable()
export class AuthPolicyGuard implements CanActivate {
  constructor(
    private readonly policies: RoutePolicies,
    private readonly reader: TokenReader,
    private readonly verifier: TokenVerifier,
    private readonly csrf: CsrfCheck,
    private readonly cookies: TokenCookies,
    private readonly access: AccessGuard,
    private readonly freshAccess: FreshAccessGuard,
    private readonly refresh: RefreshGuard,
    private readonly once: OnceInterceptor,
    private readonly options: AuthOptions,
    private readonly host: HttpAdapterHost,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const declared = this.policies.of(context);
    if (context.getType() !== 'http') return assertPublic(declared.policy, context);
    try {
      return await this.enter(context, declared);
    } catch (error) {
      // Also set by `ErrorFilter`; here for applications whose own filter answers.
      const { headerScheme } = this.options.locations;
      setRefusalHeaders(this.host.httpAdapter, responseOf(context), error, headerScheme);
      throw error;
    }
  }

  private async enter(context: ExecutionContext, { policy, roles }: RoutePolicy): Promise<boolean> {
    const request = requestOf(context);
    request.authPolicy = policy;
    if (policy.level === 'public') return true;
    // An answer that depends on the user must not be cached (ASVS 14.3.2); a handler may override this with `@Header`.
    this.host.httpAdapter.setHeader(responseOf(context), 'cache-control', 'no-store');
    const logsOut = policy.level === 'access-or-refresh' && policy.allowRevoked;
    return logsOut && this.cookies.used
      ? this.authenticateOrForget(context, request, { policy, roles })
      : this.authenticate(context, request, { policy, roles });
  }

  /** Logout in a browser clears the cookies, even if their tokens are no longer valid. */
  private async authenticateOrForget(
    context: ExecutionContext,
    request: AuthRequest,
    declaration: GuardedRoute,
  ): Promise<boolean> {
    try {
      return await this.authenticate(context, request, declaration);
    } catch (error) {
      if (error instanceof TokenError) {
        // SameSite stops the browser from sending cookies for another site, but not from obeying a `Set-Cookie` in the answer.
        this.csrf.requireSite(request);
        this.cookies.clear(responseOf(context));
      }
      throw error;
    }
  }

  private async authenticate(
    context: ExecutionContext,
    request: AuthRequest,
    { policy, roles }: GuardedRoute,
  ): Promise<boolean> {
    const presented = this.reader.read(request, KINDS_OF[policy.level], policy.locations);
    if (presented === null) {
      if (policy.level === 'optional-access') return true;
      throw new TokenError('token_missing', 'no token where the route looks for one');
    }
    request.presented = presented;
    await this.guardOf(policy, presented.token).canActivate(context);
    if (presented.location === 'cookie') this.csrf.require(request);
    requireRole(roles, request.user);
    // Interceptors of event streams run after the answer has begun: too late to refuse.
    if (policy.level === 'fresh-access' && policy.once && isEventStream(context.getHandler()))
      await this.once.claim(request);
    return true;
  }

  private guardOf({ level }: AuthPolicy, token: string): TokenGuard {
    if (level === 'fresh-access') return this.freshAccess;
    if (level === 'refresh') return this.refresh;
    if (level !== 'access-or-refresh') return this.access;
    return this.verifier.keyFor(token).kind === 'access' ? this.access : this.refresh;
  }
}

/** For messages, which carry no request. `HandlerCheck` stops the start for all handlers that it finds. */
function assertPublic({ level }: AuthPolicy, context: ExecutionContext): boolean {
  if (level === 'public') return true;
  throw new Error(
    `${context.getClass().name}.${context.getHandler().name} handles no HTTP request: ` +
      'declare it @Public() and check its tokens with the Authenticator',
  );
}
