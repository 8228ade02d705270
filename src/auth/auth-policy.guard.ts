import { type CanActivate, type ExecutionContext, Inject, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { TokenError } from '../tokens/token.errors.js';
import { TokenVerifier } from '../tokens/token-verifier.js';
import { AccessGuard } from './access/access.guard.js';
import { CsrfCheck } from './cookies/csrf-check.js';
import { TokenCookies } from './cookies/token-cookies.js';
import { setRefusalHeaders } from './errors/refusal-headers.js';
import { FreshAccessGuard } from './fresh-access/fresh-access.guard.js';
import { OnceInterceptor } from './fresh-access/once.interceptor.js';
import { type RoutePolicy, RoutePolicies } from './guard/route-policies.js';
import { TokenReader } from './guard/token-reader.js';
import { AuthOptions } from './options/auth-options.js';
import { RefreshGuard } from './refresh/refresh.guard.js';
import { type AuthPolicy, KINDS_OF } from './request/auth-policy.js';
import {
  type AuthRequest,
  bindCall,
  requestOf,
  responseOf,
  type SharedChecks,
} from './request/auth-request.js';
import { requireRole } from './roles/roles.decorator.js';
import { isEventStream } from './streams/event-stream.interceptor.js';
import { Transports } from './transports/transports.js';

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
    // Typed by their interface: if our declarations named Passport's types, applications would have to install them.
    @Inject(AccessGuard) private readonly access: CanActivate,
    @Inject(FreshAccessGuard) private readonly freshAccess: CanActivate,
    @Inject(RefreshGuard) private readonly refresh: CanActivate,
    private readonly once: OnceInterceptor,
    private readonly options: AuthOptions,
    private readonly host: HttpAdapterHost,
    private readonly transports: Transports,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return this.enterCall(context);
    try {
      return await this.enter(context, requestOf(context), this.policies.of(context));
    } catch (error) {
      // Also set by `ErrorFilter`; here for applications whose own filter answers.
      const { headerScheme } = this.options.locations;
      setRefusalHeaders(this.host.httpAdapter, responseOf(context), error, headerScheme);
      throw error;
    }
  }

  private async enterCall(context: ExecutionContext): Promise<boolean> {
    const declared = this.policies.of(context);
    const transport = this.transports.find(context.getType());
    if (!transport) return assertPublic(declared.policy, context);
    try {
      const parent = declared.inherits ? transport.parentOf?.(context) : undefined;
      const call = parent ?? transport.open(context);
      bindCall(transport.keyOf(context), call);
      return parent !== undefined || (await this.enter(context, call.request, declared));
    } catch (error) {
      throw transport.translate ? transport.translate(error, context) : error;
    }
  }

  private async enter(
    context: ExecutionContext,
    request: AuthRequest,
    { policy, roles }: RoutePolicy,
  ): Promise<boolean> {
    request.authPolicy = policy;
    if (policy.level === 'public') return true;
    const response = responseOf(context);
    // An answer that depends on the user must not be cached (ASVS 14.3.2); a handler may override this with `@Header`.
    if (response) this.host.httpAdapter.setHeader(response, 'cache-control', 'no-store');
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
    const kinds = KINDS_OF[policy.level];
    const presented = request.findToken
      ? request.findToken(kinds)
      : this.reader.read(request, kinds, policy.locations);
    if (presented === null) {
      if (policy.level === 'optional-access') return true;
      throw new TokenError('token_missing', 'no token where the route looks for one');
    }
    request.presented = presented;
    if (request.shared) await this.checkOnce(request.shared, context, request, policy, presented.token);
    else await this.guardOf(policy, presented.token).canActivate(context);
    if (presented.location === 'cookie') this.csrf.require(request);
    requireRole(roles, request.user);
    // Interceptors of event streams run after the answer has begun: too late to refuse.
    if (policy.level === 'fresh-access' && policy.once && isEventStream(context.getHandler()))
      await this.once.claim(request);
    return true;
  }

  /** Calls that share their checks run each check of a token once. */
  private async checkOnce(
    shared: SharedChecks,
    context: ExecutionContext,
    request: AuthRequest,
    policy: GuardedRoute['policy'],
    token: string,
  ): Promise<void> {
    const key = `${token} ${JSON.stringify(policy)}`;
    const outcome = shared.outcomes.get(key) ?? this.outcomeOf(context, request, policy, token);
    shared.outcomes.set(key, outcome);
    Object.assign(request, await outcome);
  }

  private async outcomeOf(
    context: ExecutionContext,
    request: AuthRequest,
    policy: GuardedRoute['policy'],
    token: string,
  ): Promise<Pick<AuthRequest, 'user' | 'authInfo' | 'requiredProof'>> {
    await this.guardOf(policy, token).canActivate(context);
    const { user, authInfo, requiredProof } = request;
    return { user, authInfo, requiredProof };
  }

  private guardOf({ level }: AuthPolicy, token: string): CanActivate {
    if (level === 'fresh-access') return this.freshAccess;
    if (level === 'refresh') return this.refresh;
    if (level !== 'access-or-refresh') return this.access;
    return this.verifier.keyFor(token).kind === 'access' ? this.access : this.refresh;
  }
}

/** For transports without an adapter. `HandlerCheck` stops the start for all handlers that it finds. */
function assertPublic({ level }: AuthPolicy, context: ExecutionContext): boolean {
  if (level === 'public') return true;
  throw new Error(
    `${context.getClass().name}.${context.getHandler().name} is called by "${context.getType()}", which no module ` +
      'brings to the guard: import one, or declare @Public() and check the token with the Authenticator',
  );
}
