import { type ExecutionContext } from '@nestjs/common';
import { type IncomingMessage } from 'node:http';
import { type Session } from '../../sessions/sessions.table.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type RequiredProof } from '../../tokens/token.errors.js';
import { type AuthPolicy } from './auth-policy.js';
import { type PresentedToken } from './presented-token.js';
import { type Principal, type TokenClaims } from './principal.js';

/** The members of a request that `auth` reads and sets; Fastify's and Express's both fit. */
export interface AuthRequest {
  method?: string;
  headers: IncomingMessage['headers'];
  /** Fastify's wrapper holds Node's request here; Express's request is Node's. */
  raw?: IncomingMessage;
  socket?: IncomingMessage['socket'];
  rawHeaders?: string[];
  originalUrl?: string;
  url?: string;
  query?: Record<string, unknown>;
  body?: unknown;
  ip?: string;
  /** The request's id, where the adapter gives it one. */
  id?: string;
  /** What the route requires. Set by the global guard before any strategy runs. */
  authPolicy?: AuthPolicy;
  /** The token that was found, valid or not. Set by the global guard. */
  presented?: PresentedToken;
  /** What this fresh route requires of the proof. */
  requiredProof?: RequiredProof;
  /** The members of second factors, taken out of the body. Not validated. */
  factors?: Readonly<Record<string, unknown>>;
  /** The `once` token has been claimed for this request. */
  tokenUsed?: boolean;
  /** Set by Passport once a token is accepted: the principal and the claims. */
  user?: Principal;
  authInfo?: TokenClaims;
  /** The code of the refusal. Set by the filter, for logs and metrics. */
  errorCode?: string;
  /** Finds the token if it is in none of the locations. Set by transports other than HTTP. */
  findToken?: (kinds: readonly TokenKind[]) => PresentedToken | null;
  /** What this call shares with others of the same request. Set by transports other than HTTP. */
  shared?: SharedChecks;
}

/** Checks that many calls of one request share: ten resolvers verify a token and read its session once. */
export class SharedChecks {
  /** By token and policy. */
  readonly outcomes = new Map<string, Promise<Pick<AuthRequest, 'user' | 'authInfo' | 'requiredProof'>>>();
  /** By session. */
  readonly liveSessions = new Map<string, Promise<Session | undefined>>();
}

/** A call of a handler other than a route: its request, and the adapter's response, if an HTTP request made it. */
export interface Call {
  request: AuthRequest;
  response?: unknown;
}

/** Keyed by an argument that only one call has. Routes have no entry. */
const calls = new WeakMap<object, Call>();

/** Makes a call known to `requestOf` and `responseOf`. */
export function bindCall(key: object, call: Call): void {
  calls.set(key, call);
}

/**
 * The request of a call. Avoids `switchToHttp()`, which creates three functions per call.
 * @throws Error outside HTTP if the guard has not seen the call
 */
export function requestOf(context: ExecutionContext): AuthRequest {
  return context.getType() === 'http' ? context.getArgByIndex<AuthRequest>(0) : callOf(context).request;
}

/** The adapter's; undefined for a call that no HTTP request made. */
export function responseOf(context: ExecutionContext): unknown {
  return context.getType() === 'http' ? context.getArgByIndex<unknown>(1) : callOf(context).response;
}

function callOf(context: ExecutionContext): Call {
  for (const argument of context.getArgs<unknown[]>()) {
    const call = isObject(argument) ? calls.get(argument) : undefined;
    if (call) return call;
  }
  throw new Error(
    `${context.getClass().name}.${context.getHandler().name}: the guard of AuthModule has not run for this call`,
  );
}

function isObject(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
