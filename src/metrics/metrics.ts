import { Injectable } from '@nestjs/common';
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

/** The prefix of our names. Metrics of the process keep their usual names. */
const PREFIX = 'freshgate_';

/**
 * The metrics of one application, in its own registry, so that two applications in one process count separately. Label
 * values come from lists in the code, never from a request: each new value is a new series for the life of the process.
 */
@Injectable()
export class Metrics {
  private readonly registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  counter<L extends string>(name: string, help: string, labelNames: readonly L[]): Counter<L> {
    return new Counter({ name: PREFIX + name, help, labelNames, registers: [this.registry] });
  }

  /** A gauge that is read with each scrape, and costs nothing in between; NaN if it cannot be read. */
  gauge(name: string, help: string, read: () => number | Promise<number>): void {
    const gauge = new Gauge({
      name: PREFIX + name,
      help,
      registers: [],
      async collect() {
        this.set(
          await Promise.resolve()
            .then(read)
            .catch(() => Number.NaN),
        );
      },
    });
    this.registry.registerMetric(gauge);
  }

  /** A gauge with one label that is read with each scrape. */
  gauges(
    name: string,
    help: string,
    label: string,
    read: () => Iterable<[value: string, gauge: number]> | Promise<Iterable<[value: string, gauge: number]>>,
  ): void {
    const gauge = new Gauge<string>({
      name: PREFIX + name,
      help,
      labelNames: [label],
      registers: [],
      async collect() {
        this.reset();
        for (const [value, measured] of await read()) this.set({ [label]: value }, measured);
      },
    });
    this.registry.registerMetric(gauge);
  }

  /** A counter that is read with each scrape. */
  total(name: string, help: string, read: () => number): void {
    this.totals(name, help, [], () => [[{}, read()]]);
  }

  /** A counter with labels that is read with each scrape. */
  totals<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    read: () => Iterable<[labels: Partial<Record<L, string>>, value: number]>,
  ): void {
    const counter = new Counter({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [],
      collect() {
        this.reset();
        for (const [labels, value] of read()) this.inc(labels, value);
      },
    });
    this.registry.registerMetric(counter);
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[],
    buckets: number[],
  ): Histogram<L> {
    return new Histogram({ name: PREFIX + name, help, labelNames, buckets, registers: [this.registry] });
  }

  /** Returns all metrics in the text format of Prometheus. */
  async render(): Promise<{ type: string; text: string }> {
    return { type: this.registry.contentType, text: await this.registry.metrics() };
  }
}
