/** Runs rounds and computes their results. */
import { Latencies } from './latencies.mjs';
import { startHelper } from './processes.mjs';

/** @typedef {import('./processes.mjs').Process} Process */
/** @typedef {import('./load.mjs').Load} Load */

/**
 * The result of one contender in one round.
 * @typedef {object} Sample
 * @property {number} cpu microseconds of the server's process for each answer
 * @property {number} rate answers a second
 * @property {number} count answers
 * @property {Latencies} latencies
 */

/** A contender: a server with its own load generator, or a loop without HTTP. */
export class Contender {
  /** @type {Sample[]} */
  samples = [];

  /**
   * @param {string} name
   * @param {Process} server
   * @param {(seconds: number) => Promise<import('./load.mjs').Outcome>} work
   */
  constructor(name, server, work) {
    this.name = name;
    this.server = server;
    this.work = work;
  }

  /** @param {number} seconds @returns {Promise<Sample>} */
  async round(seconds) {
    const before = await this.server.cost();
    const { answers, wrong, ...outcome } = await this.work(seconds);
    const after = await this.server.cost();
    // A fast error does not count.
    if (wrong !== undefined || answers === 0) throw new Error(`${this.name}: ${wrong ?? 'no answers'}`);
    const latencies = new Latencies();
    latencies.merge(outcome.latencies);
    const cpu = (after.cpu - before.cpu) / answers;
    return { cpu, rate: answers / outcome.seconds, count: answers, latencies };
  }

  /** @param {(sample: Sample) => number} of */
  median(of) {
    return median(this.samples.map(of));
  }

  /** Milliseconds, over all rounds. @param {number} share */
  quantile(share) {
    const all = new Latencies();
    for (const { latencies } of this.samples) all.merge(latencies.counts);
    return all.quantile(share);
  }
}

/**
 * A server under load from its own process.
 * @param {string} name @param {Process} server @param {Omit<Load, 'url' | 'seconds' | 'from'>} load
 * @param {import('./processes.mjs').StartOptions} [options] of that process
 */
export function underLoad(name, server, load, options) {
  const generator = startHelper('load', options);
  const ready = generator.hear();
  ready.catch(() => {});
  let from = 0;
  return new Contender(name, server, async (seconds) => {
    await ready;
    const outcome = await generator.ask({ ...load, url: server.url, seconds, from });
    from = outcome.next;
    return outcome;
  });
}

/** A process that does one thing again and again. @param {string} name @param {Process} server */
export function loop(name, server) {
  return new Contender(name, server, (seconds) => server.ask({ seconds }));
}

/**
 * Runs all at once, on the one core of the servers: changes of its speed affect all alike, and
 * only the cost of an answer differs.
 * @param {Contender[]} contenders @param {{ rounds: number, seconds: number, step?: () => void }} plan
 */
export async function together(contenders, { rounds, seconds, step }) {
  for (let i = 0; i < rounds; i++) {
    step?.();
    const samples = await Promise.all(contenders.map((contender) => contender.round(seconds)));
    contenders.forEach((contender, at) => contender.samples.push(/** @type {Sample} */ (samples[at])));
  }
}

/**
 * Runs one after the other, directly in turn; the first one is last in the next round.
 * @param {Contender[]} contenders @param {{ rounds: number, seconds: number, step?: () => void }} plan
 */
export async function inTurns(contenders, { rounds, seconds, step }) {
  for (let i = 0; i < rounds; i++) {
    step?.();
    for (const contender of i % 2 === 0 ? contenders : contenders.toReversed()) {
      contender.samples.push(await contender.round(seconds));
    }
  }
}

/** Warms up until the measured code is compiled. Not counted. @param {Contender[]} contenders @param {number} seconds */
export async function warmUp(contenders, seconds) {
  await Promise.all(contenders.map((contender) => contender.round(seconds)));
}

/**
 * @typedef {object} Ratio
 * @property {number} median
 * @property {number} low the first quartile
 * @property {number} high the third
 */

/**
 * Computes the ratio of each round, and the median of these.
 * @param {{ samples: Sample[] }} a @param {{ samples: Sample[] }} b @param {(sample: Sample) => number} of
 * @returns {Ratio}
 */
export function ratio(a, b, of) {
  return spread(a.samples.map((sample, i) => of(sample) / of(/** @type {Sample} */ (b.samples[i]))));
}

/** How much more work one CPU second of `a` does than one of `b`. @param {Sample} sample */
export const perCpuSecond = ({ cpu }) => 1e6 / cpu;

/** @param {readonly number[]} values @returns {Ratio} */
export function spread(values) {
  return { median: median(values), low: quantile(values, 0.25), high: quantile(values, 0.75) };
}

/** @param {readonly number[]} values */
export function median(values) {
  return quantile(values, 0.5);
}

/** @param {readonly number[]} values @param {number} share */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const [low = Number.NaN, high = low] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low + (high - low) * (at - Math.floor(at));
}
