import { type DynamicModule, Inject, Module, type NestModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type Logger } from 'pino';
import { onRequestEnd, type RequestEnd } from '../http/request-end.js';
import { scopeRequests } from './request-scope.js';

const ROOT = Symbol('root logger');

/** Probes call these every few seconds; their lines are logged at debug. */
const PROBE = /^\/health(\/|$)/;

/** Logs one line per request, and puts the request's id on every line written while it is handled. */
@Module({})
export class LoggingModule implements NestModule {
  static forRoot(logger: Logger): DynamicModule {
    return {
      module: LoggingModule,
      providers: [{ provide: ROOT, useValue: logger }],
    };
  }

  constructor(
    private readonly host: HttpAdapterHost,
    @Inject(ROOT) private readonly logger: Logger,
  ) {}

  configure(): void {
    scopeRequests(this.host.httpAdapter);
    onRequestEnd(this.host.httpAdapter, (end) => this.write(end));
  }

  private write(end: RequestEnd): void {
    if (!this.logger.isLevelEnabled('info')) return;
    const level = PROBE.test(end.path) ? 'debug' : 'info';
    if (this.logger.isLevelEnabled(level)) this.logger[level](...lineOf(end));
  }
}

function lineOf({
  method,
  route,
  path,
  status,
  duration,
  requestId,
  errorCode,
  aborted,
}: RequestEnd): [details: object, message: string] {
  const details = {
    requestId,
    context: 'Http',
    method,
    ...(route === undefined ? { path } : { route }),
    status,
    duration: Math.round(duration * 10) / 10,
    ...(errorCode === undefined ? {} : { errorCode }),
    ...(aborted ? { aborted } : {}),
  };
  return [details, `${method} ${route ?? path} ${status}`];
}
