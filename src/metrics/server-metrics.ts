import { Injectable } from '@nestjs/common';
import { AuditLog } from '../auth/index.js';
import { RevocationFeed } from '../auth/internals.js';
import { Database } from '../database/index.js';
import { Readiness } from '../health/readiness.js';
import { Metrics } from './metrics.js';

/** Measures the database and readiness. */
@Injectable()
export class ServerMetrics {
  constructor(
    metrics: Metrics,
    { statistics }: Database,
    feed: RevocationFeed,
    readiness: Readiness,
    audit: AuditLog,
  ) {
    metrics.gauges(
      'database_pool_connections',
      'Connections of the pool to PostgreSQL: in use, idle, and the maximum',
      'state',
      () => {
        const { max, open, idle } = statistics.pool ?? { max: 0, open: 0, idle: 0 };
        return [
          ['used', open - idle],
          ['idle', idle],
          ['max', max],
        ];
      },
    );
    metrics.gauge(
      'database_pool_waiting',
      'Requests that wait for a connection of the pool',
      () => statistics.pool?.waiting ?? 0,
    );
    metrics.totals(
      'database_errors_total',
      'Errors by SQLSTATE, or by the code of the driver',
      ['code'],
      () => [...statistics.errors].map(([code, count]) => [{ code }, count]),
    );
    metrics.gauges('ready', 'Parts of readiness: 1 if up, 0 if down', 'part', async () =>
      (await readiness.measure()).map(([part, isUp]): [string, number] => [part, Number(isUp)]),
    );
    metrics.gauge(
      'clock_skew_seconds',
      'Seconds by which this clock was ahead of the database server when it was last compared',
      () => statistics.clockSkew / 1000,
    );
    metrics.total(
      'listen_failures_total',
      'Times that LISTEN was lost or failed',
      () => feed.counts.listenFailures,
    );
    metrics.total('listen_reconnects_total', 'Times that LISTEN worked again', () =>
      Math.max(0, feed.counts.reconnects),
    );
    metrics.gauge('audit_events', 'Estimated rows of the audit trail', () => audit.estimateSize());
  }
}
