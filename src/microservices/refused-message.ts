import {
  type ArgumentsHost,
  Catch,
  type ExceptionFilter,
  HttpException,
  Inject,
  Injectable,
  Optional,
} from '@nestjs/common';
import { RpcException } from '@nestjs/microservices';
import { type Observable, throwError } from 'rxjs';
import { ErrorFilter } from '../auth/index.js';
import { MessageTransport } from './message-transport.js';

/** A refusal where no global filter may answer it. */
export class RefusedMessage extends RpcException {
  constructor(override readonly cause: unknown) {
    super(cause instanceof HttpException ? cause.getResponse() : 'Internal server error');
  }
}

/** Bound to each controller that handles messages: answers as the global filter would. */
@Catch(RefusedMessage)
@Injectable()
export class RefusedMessageFilter implements ExceptionFilter<RefusedMessage> {
  constructor(
    @Optional() @Inject(ErrorFilter) private readonly errors?: ErrorFilter,
    @Optional() @Inject(MessageTransport) private readonly transport?: MessageTransport,
  ) {}

  catch({ cause }: RefusedMessage, host: ArgumentsHost): Observable<unknown> {
    return this.answer(cause, host);
  }

  answer(error: unknown, host: ArgumentsHost): Observable<unknown> {
    const { errors, transport } = this;
    if (!errors || !transport) return throwError(() => error);
    return transport.refuse(errors.explain(error, transport.describe(host)), host);
  }
}
