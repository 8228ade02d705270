import { type DynamicModule, Inject, Module, type NestModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { LoggerModule } from 'nestjs-pino';
import { type Logger } from 'pino';
import { onRequestEnd, type RequestEnd } from '../http/request-ends.js';
import { logParams } from './logger.js';

const ROOT = Symbol('root logger');

/** Asked every few seconds by machines: nobody reads that they were. */
const PROBE = /^\/health(\/|$)/;

/**
 * One line for each request, and the request's id on every line that is written while it is worked on.
 * Once a process: nestjs-pino knows one logger.
 */
@Module({})
export class LoggingModule implements NestModule {
  static forRoot(logger: Logger): DynamicModule {
    return {
      module: LoggingModule,
      imports: [LoggerModule.forRoot(logParams(logger))],
      providers: [{ provide: ROOT, useValue: logger }],
    };
  }

  constructor(
    private readonly host: HttpAdapterHost,
    /** Not the request's own, which would say the id twice. */
    @Inject(ROOT) private readonly logger: Logger,
  ) {}

  configure(): void {
    onRequestEnd(this.host.httpAdapter, (end) => this.write(end));
  }

  private write({ method, route, path, status, duration, requestId, errorCode, aborted }: RequestEnd): void {
    const line = {
      requestId,
      context: 'Http',
      method,
      ...(route === undefined ? { path } : { route }),
      status,
      duration: Math.round(duration * 10) / 10,
      ...(errorCode === undefined ? {} : { errorCode }),
      ...(aborted ? { aborted } : {}),
    };
    const message = `${method} ${route ?? path} ${status}`;
    if (PROBE.test(path)) this.logger.debug(line, message);
    else this.logger.info(line, message);
  }
}
