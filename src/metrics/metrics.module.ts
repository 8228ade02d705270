import { type DynamicModule, Module, type NestModule } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { onRequestEnd } from '../http/request-end.js';
import { HealthModule } from '../health/health.module.js';
import { AuthMetrics } from './auth-metrics.js';
import { METRICS_ADDRESS, type MetricsAddress, MetricsServer } from './metrics-server.js';
import { Metrics } from './metrics.js';
import { RequestMetrics } from './request-metrics.js';
import { ServerMetrics } from './server-metrics.js';

/** Prometheus metrics. No other module depends on this one. */
@Module({
  imports: [HealthModule],
  providers: [Metrics, RequestMetrics, AuthMetrics, ServerMetrics, MetricsServer],
})
export class MetricsModule implements NestModule {
  static forRoot(address: MetricsAddress): DynamicModule {
    return { module: MetricsModule, providers: [{ provide: METRICS_ADDRESS, useValue: address }] };
  }

  constructor(
    private readonly host: HttpAdapterHost,
    private readonly requests: RequestMetrics,
  ) {}

  configure(): void {
    onRequestEnd(this.host.httpAdapter, (end) => this.requests.count(end));
  }
}
