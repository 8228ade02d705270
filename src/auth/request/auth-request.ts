import { type ExecutionContext } from '@nestjs/common';
import { type IncomingMessage } from 'node:http';
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
}

/** For an HTTP context. Avoids `switchToHttp()`, which creates three functions per call. */
export function requestOf(context: ExecutionContext): AuthRequest {
  return context.getArgByIndex<AuthRequest>(0);
}

/** The adapter's. */
export function responseOf(context: ExecutionContext): unknown {
  return context.getArgByIndex<unknown>(1);
}
