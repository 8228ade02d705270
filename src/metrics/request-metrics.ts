import { Injectable } from '@nestjs/common';
import { type Counter, type Histogram } from 'prom-client';
import { type RequestEnd } from '../http/request-end.js';
import { Metrics } from './metrics.js';

/** Other methods are counted as `other`: Node's parser accepts about 35. */
const METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** Seconds: a guarded read takes less than 0.001, a password about 0.1, a request while the database is down up to 6. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** Codes of another form are counted as `other`: a team's own may contain anything. */
const CODE = /^[a-z][a-z0-9_]{0,63}$/;
/** Codes beyond this many are counted as `other`; we have about thirty. */
const MAX_CODES = 100;

/** Counts requests, their duration and their error codes. */
@Injectable()
export class RequestMetrics {
  private readonly duration: Histogram<'method' | 'route' | 'status'>;
  private readonly refusals: Counter<'code'>;
  private readonly codes = new Set<string>();

  constructor(metrics: Metrics) {
    this.duration = metrics.histogram(
      'http_request_duration_seconds',
      'Requests by method, route as declared and class of status',
      ['method', 'route', 'status'],
      BUCKETS,
    );
    this.refusals = metrics.counter('refusals_total', 'Error answers by errorCode', ['code']);
  }

  count({ method, route, status, duration, errorCode }: RequestEnd): void {
    const labels = {
      method: METHODS.has(method) ? method : 'other',
      route: route ?? 'none',
      status: `${Math.floor(status / 100)}xx`,
    };
    this.duration.observe(labels, duration / 1000);
    if (errorCode !== undefined) this.refusals.inc({ code: this.bounded(errorCode) });
  }

  private bounded(code: string): string {
    if (this.codes.has(code)) return code;
    if (!CODE.test(code) || this.codes.size >= MAX_CODES) return 'other';
    this.codes.add(code);
    return code;
  }
}
