import { type DynamicModule, Inject, Module, type NestModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { onRequestEnd, type RequestEnd } from '../http/request-end.js';
import { type Log } from './logger.js';
import { requestLine } from './request-line.js';
import { scopeRequests } from './request-scope.js';

const LOG = Symbol('log');

/** Probes call these every few seconds; their lines are logged at debug. */
const PROBE = /^\/health(\/|$)/;

/** Logs one line per request, and puts the request's id on every line written while it is handled. */
@Module({})
export class LoggingModule implements NestModule {
  static forRoot(log: Log): DynamicModule {
    return {
      module: LoggingModule,
      providers: [{ provide: LOG, useValue: log }],
    };
  }

  constructor(
    private readonly host: HttpAdapterHost,
    @Inject(LOG) private readonly log: Log,
  ) {}

  configure(): void {
    scopeRequests(this.host.httpAdapter);
    onRequestEnd(this.host.httpAdapter, (end) => this.write(end));
  }

  private write(end: RequestEnd): void {
    const { root, sink } = this.log;
    if (!root.isLevelEnabled('info')) return;
    const level = PROBE.test(end.path) ? 'debug' : 'info';
    if (root.isLevelEnabled(level)) sink.writeSoon(requestLine(end, level));
  }
}
