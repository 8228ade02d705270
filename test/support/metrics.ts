import { MetricsServer } from '../../src/metrics/metrics-server.js';
import { type TestApp } from './create-test-app.js';

/** Series, as `name{label="value"}`, and their values. */
export type Series = Map<string, number>;

export async function readMetrics(url: string): Promise<Series> {
  const text = await (await fetch(url)).text();
  return new Map(
    text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

export async function metricsOf(api: TestApp): Promise<Series> {
  return readMetrics(api.get(MetricsServer).url);
}
