const UNITS = { w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000 } as const;
const PATTERN = /^(?:(\d+)w)?\s*(?:(\d+)d)?\s*(?:(\d+)h)?\s*(?:(\d+)m)?\s*(?:(\d+)s)?$/;
const HUNDRED_YEARS = 36_525 * UNITS.d;

/**
 * Reads `30s`, `5m`, `1h`, `1d`, `2w` or `2d 3h 15m` (largest unit first, each at most once) as milliseconds.
 * Strict, because a misread lifetime would be a wrong security setting without an error.
 * @throws RangeError that shows the expected form
 */
export function parseDuration(text: string): number {
  const match = PATTERN.exec(text.trim());
  if (!match || match.slice(1).every((part) => part === undefined)) {
    throw new RangeError(`"${text}" is not a duration; write it like 30s, 5m, 1h, 1d, 2w or 2d 3h 15m`);
  }
  const milliseconds = Object.values(UNITS).reduce(
    (sum, unit, i) => sum + Number(match[i + 1] ?? 0) * unit,
    0,
  );
  if (milliseconds > HUNDRED_YEARS) throw new RangeError(`"${text}" is longer than 100 years`);
  return milliseconds;
}

/** Milliseconds as a duration that `parseDuration` reads back, for messages and logs. */
export function formatDuration(milliseconds: number): string {
  let rest = milliseconds;
  const parts = Object.entries(UNITS).flatMap(([name, unit]) => {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    return count > 0 ? [`${count}${name}`] : [];
  });
  return parts.join(' ') || '0s';
}
