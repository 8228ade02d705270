import { describe, expect, it } from '@jest/globals';
import { connect } from 'node:net';
import { readMetrics } from '../../support/metrics.js';
import { start } from '../../support/server-process.js';

describe('METRICS_PORT', () => {
  const MEMORY = { DATABASE_URL: ':memory:' };
  const METRICS_AT = /metrics on (http:\/\/[\w.:]+\/metrics)/;

  it('is served, with an open connection holds nothing up, and ends with the process', async () => {
    const server = await start({ env: { ...MEMORY, METRICS_PORT: '0' } });
    await server.request('GET', '/health/live');
    const url = new URL(METRICS_AT.exec(server.output)?.[1] ?? '');
    const series = await readMetrics(url.href);
    const count = 'freshgate_http_request_duration_seconds_count';
    expect(series.get(`${count}{method="GET",route="/health/live",status="2xx"}`)).toBe(1);
    const idle = connect(Number(url.port), url.hostname).on('error', () => {});
    expect(await server.stop()).toEqual({ code: null, signal: 'SIGTERM' });
    idle.destroy();
    await expect(fetch(url)).rejects.toThrow();
  });
});
