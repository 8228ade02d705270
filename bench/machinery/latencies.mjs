/** Buckets with a width of one per cent: 1 µs to about 30 s. */
const WIDTH = Math.log(1.01);
const BUCKETS = Math.ceil(Math.log(30e6) / WIDTH) + 1;

/** Latencies in buckets, so that rounds and processes can be added. */
export class Latencies {
  /** @type {number[]} */
  counts = Array.from({ length: BUCKETS }, () => 0);

  /** @param {number} milliseconds */
  add(milliseconds) {
    const bucket = Math.round(Math.log(Math.max(1, milliseconds * 1000)) / WIDTH);
    const at = Math.min(bucket, BUCKETS - 1);
    this.counts[at] = (this.counts[at] ?? 0) + 1;
  }

  /** @param {readonly number[]} counts */
  merge(counts) {
    counts.forEach((count, i) => (this.counts[i] = (this.counts[i] ?? 0) + count));
  }

  /** Milliseconds below which the share lies. @param {number} share 0 to 1 */
  quantile(share) {
    const total = this.counts.reduce((sum, count) => sum + count, 0);
    let left = total * share;
    const at = this.counts.findIndex((count) => (left -= count) <= 0);
    return Math.exp(at * WIDTH) / 1000;
  }
}
