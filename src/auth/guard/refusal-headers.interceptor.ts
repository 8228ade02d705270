import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type Observable, tap } from 'rxjs';
import { setRefusalHeaders } from '../errors/refusal-headers.js';
import { AuthOptions } from '../options/auth-options.js';
import { responseOf } from '../request/auth-request.js';

/** For our own controllers: their refusals keep their headers if a filter of the application answers them. */
@Injectable()
export class RefusalHeadersInterceptor implements NestInterceptor {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly options: AuthOptions,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(
      tap({
        error: (error: unknown) => {
          const { headerScheme } = this.options.locations;
          setRefusalHeaders(this.host.httpAdapter, responseOf(context), error, headerScheme);
        },
      }),
    );
  }
}
