/**
 * How well two samples can be told apart: the probability that a value of the first is greater than one of the second,
 * ties counted half (Mann-Whitney's U over its range; the area under the ROC curve). 0.5 is not at all, 0 and 1 are
 * always. It asks nothing of the shape of the samples, and a few outliers do not move it.
 */
export function separation(first: readonly number[], second: readonly number[]): number {
  const all = [
    ...first.map((value) => ({ value, mine: true })),
    ...second.map((value) => ({ value, mine: false })),
  ].toSorted((a, b) => a.value - b.value);
  let ranks = 0;
  for (let from = 0, to = 0; from < all.length; from = to) {
    while (to < all.length && all[to]?.value === all[from]?.value) to++;
    const rank = (from + 1 + to) / 2;
    ranks += rank * all.slice(from, to).filter(({ mine }) => mine).length;
  }
  return (ranks - (first.length * (first.length + 1)) / 2) / (first.length * second.length);
}

/** By how much it strays from 0.5 where there is nothing to tell apart: one standard deviation, for two of n. */
export function strayOf(n: number): number {
  return Math.sqrt((2 * n + 1) / (12 * n * n));
}
