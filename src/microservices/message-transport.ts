import {
  type ArgumentsHost,
  type ExecutionContext,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { PATTERN_HANDLER_METADATA } from '@nestjs/microservices/constants.js';
import { PatternHandler } from '@nestjs/microservices/enums/pattern-handler.enum.js';
import { type Observable, of, throwError } from 'rxjs';
import { ApiError, AuthOptions } from '../auth/index.js';
import {
  AdaptsTransport,
  type AuthRequest,
  type Call,
  type Refusal,
  TokenReader,
  type TransportAdapter,
} from '../auth/internals.js';
import { type GrpcCallback, type GrpcCall, grpcCallOf, grpcCodeOf, trailersOf } from './grpc-call.js';
import { callKeyOf } from './message-call.js';
import { messageName, metadataValues } from './message-metadata.js';

/** Brings microservice messages to the guard: the token is in their metadata, a refusal is answered as by `RpcException`. */
@Injectable()
@AdaptsTransport({ type: 'rpc', handlers: ['message'] })
export class MessageTransport implements TransportAdapter, OnApplicationBootstrap {
  private isReady = false;
  /** Events, by the second argument of the handler, because a filter does not get the handler. */
  private readonly events = new WeakSet<object>();

  constructor(
    private readonly options: AuthOptions,
    private readonly reader: TokenReader,
  ) {}

  onApplicationBootstrap(): void {
    this.isReady = true;
  }

  /** The locations of routes (cookies, queries, bodies) mean nothing here: a message has metadata only. */
  open(context: ExecutionContext): Call {
    // `startAllMicroservices` listens before `app.listen` reads the keys and the revoked sessions.
    if (!this.isReady) throw new ApiError(503, 'overloaded', 'The server is starting; try again shortly');
    const args = context.getArgs<unknown[]>();
    const [, event] = args;
    if (isObject(event) && isEventHandler(context.getHandler())) this.events.add(event);
    const name = this.options.locations.headerName.toLowerCase();
    const values = metadataValues(args, name);
    const [value] = values;
    const header = values.length === 1 && typeof value === 'string' ? value : values;
    const request: AuthRequest = { headers: { [name]: header as string | string[] } };
    request.findToken = (kinds) => this.reader.read(request, kinds, ['header']);
    return { request };
  }

  keyOf(context: ExecutionContext): object {
    return callKeyOf(context);
  }

  owns(exception: unknown): boolean {
    return exception instanceof RpcException;
  }

  refuse(refusal: Refusal, host: ArgumentsHost): Observable<unknown> {
    const args = host.getArgs<unknown[]>();
    const call = grpcCallOf(args);
    const error = errorOf(refusal, call);
    if (call && call === args[0]) return answerStreamCall(call, args[1], error);
    // Dropped, because no answer exists. An error would keep other handlers from the event, and kafkajs would deliver it
    // again and again.
    const isEvent = isObject(args[1]) && this.events.has(args[1]);
    if (isEvent && isAccessRefusal(refusal)) return of(undefined);
    return throwError(() => error);
  }

  describe(host: ArgumentsHost): string {
    return messageName(host.getArgs<unknown[]>());
  }
}

/** The error with which the client's observable fails. */
function errorOf({ exception, answer, headers, challenge }: Refusal, call: GrpcCall | undefined): unknown {
  if (exception instanceof RpcException) {
    const error = exception.getError();
    return typeof error === 'object' ? error : { status: 'error', message: error };
  }
  const { statusCode, message, errorCode } = answer;
  const error = {
    status: 'error',
    ...answer,
    ...(Object.keys(challenge).length > 0 && { challenge }),
    ...(headers['Retry-After'] !== undefined && { retryAfter: Number(headers['Retry-After']) }),
  };
  if (!call) return error;
  const metadata = trailersOf(call, { ...headers, 'error-code': errorCode });
  return { ...error, code: grpcCodeOf(statusCode), details: message, metadata };
}

/**
 * A handler of `@GrpcStreamCall` writes to the call itself, and nothing catches the error of its observable: it would end
 * the process.
 */
function answerStreamCall(call: GrpcCall, callback: unknown, error: unknown): Observable<unknown> {
  if (typeof callback === 'function') (callback as GrpcCallback)(error);
  else call.emit('error', error);
  return of(undefined);
}

function isEventHandler(handler: Function): boolean {
  return Reflect.getMetadata(PATTERN_HANDLER_METADATA, handler) === PatternHandler.EVENT;
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isAccessRefusal({ answer: { statusCode } }: Refusal): boolean {
  return statusCode === 401 || statusCode === 403;
}
