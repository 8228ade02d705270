import { type ArgumentsHost, type ExecutionContext, Injectable } from '@nestjs/common';
import { WsException } from '@nestjs/websockets';
import { ErrorFilter } from '../auth/index.js';
import { AdaptsTransport, type Call, type Refusal, type TransportAdapter } from '../auth/internals.js';
import { SocketCall } from './socket-call.js';
import { toSocketRefusal } from './socket-refusal.js';

/** Codes after which every later message of the connection would be refused too, so it is closed. */
const FINAL_CODES: ReadonlySet<string> = new Set(['token_expired', 'token_revoked']);

/** Brings the messages of gateways to the guard. */
@AdaptsTransport({ type: 'ws', handlers: ['gateway'] })
@Injectable()
export class GatewayTransport implements TransportAdapter {
  constructor(private readonly errors: ErrorFilter) {}

  open(context: ExecutionContext): Call {
    return { request: this.keyOf(context).toRequest() };
  }

  /** @throws Error if the message did not come through the adapter of `GatewaysModule` */
  keyOf(context: ArgumentsHost): SocketCall {
    const call = context.getArgs<unknown[]>().find((argument) => argument instanceof SocketCall);
    if (call) return call;
    throw new Error('a message did not come through the adapter of GatewaysModule, so its token is unknown');
  }

  owns(exception: unknown): boolean {
    return exception instanceof WsException;
  }

  /** Nest sends the object of a `WsException` as the event `exception`. Those of handlers stay unchanged. */
  refuse({ exception, answer, challenge }: Refusal, host: ArgumentsHost): unknown {
    if (this.owns(exception)) return exception;
    const refusal = toSocketRefusal({ answer, challenge });
    // Closed after the answer was sent.
    if (FINAL_CODES.has(answer.errorCode)) setImmediate(() => this.keyOf(host).connection.end(refusal));
    return new WsException({ ...refusal, cause: { pattern: patternOf(host) } });
  }

  /** Nest calls no global filter for gateways: the guard and `GatewayErrors` throw the result instead. */
  translate(exception: unknown, host: ArgumentsHost): unknown {
    if (this.owns(exception)) return exception;
    return this.refuse(this.errors.explain(exception, this.describe(host)), host);
  }

  describe(host: ArgumentsHost): string {
    return `message "${patternOf(host)}"`;
  }
}

function patternOf(host: ArgumentsHost): string {
  return String(host.getArgs<unknown[]>().at(-1));
}
