import { type ArgumentsHost, type ExecutionContext, SetMetadata } from '@nestjs/common';
import { type ChallengeParameters } from '../errors/challenge.js';
import { type ErrorAnswer } from '../errors/error-answer.js';
import { type Call } from '../request/auth-request.js';

/** How a handler is called: by a route, a microservice message, a WebSocket message, or as (a field of) a GraphQL operation. */
export type HandlerKind = 'http' | 'message' | 'gateway' | 'resolver' | 'field';

/** An error on its way to the client, as it would be answered over HTTP. */
export interface Refusal {
  /** As it was thrown. */
  exception: unknown;
  /** The body. */
  answer: ErrorAnswer;
  /** `WWW-Authenticate`, `Retry-After` and others. */
  headers: Readonly<Record<string, string>>;
  /** The parameters of the challenge in `WWW-Authenticate` (RFC 6750 §3, RFC 9470 §3); empty if it has none. */
  challenge: ChallengeParameters;
}

/**
 * What the guard and the error filter must know of a transport other than HTTP. A provider with `@AdaptsTransport`; the
 * guard then protects the transport's handlers by their declarations, as it protects routes.
 */
export interface TransportAdapter {
  /** Makes the request of a call: the headers of its token at least. New for each call, because the guard writes to it. */
  open(context: ExecutionContext): Call;
  /**
   * Returns an argument of the call that no other call has. The guard stores the request under it, so that
   * `@CurrentUser()` and others find the request: their context has the same arguments in another array.
   */
  keyOf(context: ExecutionContext): object;
  /** Returns the call to which a handler without a declaration belongs, as a field to its operation. */
  parentOf?(context: ExecutionContext): Call | undefined;
  /** Whether the error is of the transport's own class, with which a handler answers on purpose; it is not logged. */
  owns(exception: unknown): boolean;
  /** Answers an error that no filter of the application answered: what Nest expects the filter to return, or to throw. */
  refuse(refusal: Refusal, host: ArgumentsHost): unknown;
  /** Converts an error that the guard throws, for transports for which Nest calls no global filter. */
  translate?(exception: unknown, host: ArgumentsHost): unknown;
  /**
   * Returns an object that all calls of one request share, if a request may make many calls: the same refusal of the same
   * handler is logged once for it. One request could fill the log otherwise.
   */
  scopeOf?(host: ArgumentsHost): object;
  /** Names the call in the log: `mutation transfer`. */
  describe(host: ArgumentsHost): string;
}

export interface AdaptedTransport {
  /** What `ExecutionContext.getType()` returns: `graphql`, `ws`, `rpc`. */
  type: string;
  /** The handlers that it protects. The start stops at any other handler that is not public. */
  handlers: readonly HandlerKind[];
}

export const ADAPTED_TRANSPORT = 'freshgate:transport';

/** On the class, not given at run time: handlers are checked before any provider exists. */
export const AdaptsTransport = (transport: AdaptedTransport): ClassDecorator =>
  SetMetadata(ADAPTED_TRANSPORT, transport);
