import { type ExecutionContext } from '@nestjs/common';
import { type IncomingMessage } from 'node:http';
import { type PresentedToken } from '../guard/token-reader.js';
import { type AuthPolicy } from '../guard/auth-policy.js';
import { type Principal, type TokenClaims } from './principal.js';

/** What the auth room reads from and leaves on a request; Fastify's and Express's both fit. */
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
  /** What the route demands; set by the global guard before any strategy runs. */
  authPolicy?: AuthPolicy;
  /** The token that was found, good or not; set by the global guard. */
  presented?: PresentedToken;
  /** Milliseconds: how old the password proof may be at this fresh route. */
  freshMaxAge?: number;
  /** The token has been claimed for this request; where class and handler both say `once`, it is asked twice. */
  tokenSpent?: boolean;
  /** Set by Passport once a token was accepted: who, and the claims that say so. */
  user?: Principal;
  authInfo?: TokenClaims;
  /** With which code the request was refused; set by the filter, for whoever logs and counts. */
  errorCode?: string;
}

/** Of an HTTP context. Not by `switchToHttp()`, which makes three functions at each call. */
export function requestOf(context: ExecutionContext): AuthRequest {
  return context.getArgByIndex<AuthRequest>(0);
}

/** The adapter's. */
export function responseOf(context: ExecutionContext): unknown {
  return context.getArgByIndex<unknown>(1);
}
