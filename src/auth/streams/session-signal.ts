import { createParamDecorator, type ExecutionContext, Injectable, type PipeTransform } from '@nestjs/common';
import { type ServerResponse } from 'node:http';
import { TokenWatch } from '../guard/token-watch.js';
import { checksOf } from '../request/auth-policy.js';
import { type AuthRequest, requestOf, responseOf } from '../request/auth-request.js';

interface Exchange {
  request: AuthRequest;
  /** Absent outside HTTP. */
  response?: ServerResponse | { raw: ServerResponse };
}

const HttpExchange = createParamDecorator((_: unknown, context: ExecutionContext): Exchange => ({
  request: requestOf(context),
  response: responseOf(context) as Exchange['response'],
}));

/** A pipe, because only handlers that use it pay for it. */
@Injectable()
export class SessionSignalPipe implements PipeTransform<Exchange, AbortSignal> {
  constructor(private readonly watch: TokenWatch) {}

  transform({ request: { authInfo, authPolicy }, response }: Exchange): AbortSignal {
    const controller = new AbortController();
    if (!authInfo) return controller.signal;
    const stop = this.watch.until(authInfo, (error) => controller.abort(error), checksOf(authPolicy));
    // A message has none: its watch ends with the token.
    if (response) ('raw' in response ? response.raw : response).once('close', stop);
    return controller.signal;
  }
}

/**
 * `@SessionSignal() signal: AbortSignal` is aborted when the request's token expires or its session is revoked, with that
 * `TokenError` as its reason. For answers that stay open, such as a `StreamableFile`; `@Sse()` ends by itself. Never
 * aborted for an anonymous request.
 */
export const SessionSignal = (): ParameterDecorator => HttpExchange(SessionSignalPipe);
