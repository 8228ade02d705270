import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { ApplicationConfig } from '@nestjs/core';
import { catchError, type Observable, throwError } from 'rxjs';
import { GatewayTransport } from './gateway.transport.js';

/** Answers the errors of handlers and pipes as those of routes; Nest would answer all of them "Internal server error". */
@Injectable()
export class GatewayErrors implements NestInterceptor {
  constructor(
    config: ApplicationConfig,
    private readonly transport: GatewayTransport,
  ) {
    config.useGlobalInterceptors(this);
  }

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'ws') return next.handle();
    return next
      .handle()
      .pipe(catchError((error: unknown) => throwError(() => this.transport.translate(error, context))));
  }
}
