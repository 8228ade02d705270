import {
  type CallHandler,
  type CanActivate,
  type ExecutionContext,
  Inject,
  Injectable,
  Logger,
  type NestInterceptor,
  Optional,
} from '@nestjs/common';
import { catchError, Observable, throwError } from 'rxjs';
import { TokenError } from '../auth/index.js';
import { AuthPolicyGuard, checksOf, requestOf, TokenWatch } from '../auth/internals.js';
import { grpcCallOf, isGrpcStream } from './grpc-call.js';
import { callKeyOf, findCall } from './message-call.js';
import { RefusedMessage, RefusedMessageFilter } from './refused-message.js';

/**
 * Bound to each controller that handles messages. It calls the global guard where Nest does not: in a microservice of a
 * hybrid application that was connected without `inheritAppConfig: true`. It also ends streams of gRPC with their token.
 */
@Injectable()
export class MessageGuard implements CanActivate, NestInterceptor {
  private readonly logger = new Logger('Microservices');
  private hasWarned = false;

  /**
   * Optional, as for `OnceInterceptor`: the binding stays on the controller's class, also in a unit test without
   * `AuthModule`. With `AuthModule`, its guard is always there.
   */
  constructor(
    @Optional() @Inject(AuthPolicyGuard) private readonly guard?: AuthPolicyGuard,
    @Optional() @Inject(TokenWatch) private readonly tokens?: TokenWatch,
    @Optional() @Inject(RefusedMessageFilter) private readonly filter?: RefusedMessageFilter,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (!this.guard || context.getType() !== 'rpc' || findCall(context)) return true;
    this.warn();
    callKeyOf(context).inheritsGuards = false;
    try {
      return await this.guard.canActivate(context);
    } catch (error) {
      throw new RefusedMessage(error);
    }
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (!this.guard || context.getType() !== 'rpc') return next.handle();
    const answers = this.endsWithToken(context, next.handle());
    if (callKeyOf(context).inheritsGuards) return answers;
    return answers.pipe(
      catchError((error: unknown) =>
        throwError(() => (error instanceof TokenError ? new RefusedMessage(error) : error)),
      ),
    );
  }

  /** Other transports do not say whether a handler answers with a stream. */
  private endsWithToken(context: ExecutionContext, answers: Observable<unknown>): Observable<unknown> {
    const args = context.getArgs<unknown[]>();
    const { authInfo, authPolicy } = requestOf(context);
    const call = grpcCallOf(args);
    const { tokens } = this;
    if (!tokens || !authInfo || !call || !isGrpcStream(call)) return answers;
    const watch = (onEnd: (error: unknown) => void) => tokens.until(authInfo, onEnd, checksOf(authPolicy));
    if (call === args[0]) {
      // The handler of `@GrpcStreamCall` has returned long before the call ends.
      const stop = watch((error) => this.filter?.answer(error, context));
      for (const event of ['close', 'cancelled'] as const) call.once(event, stop);
      return answers;
    }
    return new Observable((subscriber) => {
      subscriber.add(watch((error) => subscriber.error(error)));
      if (!subscriber.closed) subscriber.add(answers.subscribe(subscriber));
    });
  }

  private warn(): void {
    if (this.hasWarned) return;
    this.hasWarned = true;
    this.logger.warn(
      'a microservice does not inherit the configuration of the application: its messages are guarded, but global ' +
        'pipes, filters and interceptors do not run; call connectMicroservice(options, { inheritAppConfig: true })',
    );
  }
}
