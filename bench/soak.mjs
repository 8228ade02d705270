/** As many requests as an hour at 100 per second, at full speed: does memory grow? */
import { ANSWER_TEXT } from './peers/answer.mjs';
import { startServer } from './machinery/processes.mjs';
import { median, together, underLoad, warmUp } from './machinery/rounds.mjs';
import { fill } from './machinery/stock.mjs';

const AN_HOUR = 100 * 3_600;
/** Per second. */
const REFRESHES = 20;

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  const requests = quick ? 5_000 : AN_HOUR;
  const seconds = quick ? 0.5 : 5;
  step('filling a database');
  // More tokens than the cache holds.
  const stock = await fill({ live: 1_000, unseen: quick ? 2_000 : 30_000, refresh: 500 });
  // Garbage is collected before each measurement.
  const server = await startServer('freshgate', { env: stock.env, node: ['--expose-gc'] });
  const guarded = underLoad('guarded', server, {
    path: '/bench/guarded',
    tokens: stock.tokens.unseen,
    answer: ANSWER_TEXT,
    connections: 12,
  });
  const refreshing = underLoad('refreshing', server, {
    method: 'POST',
    path: '/auth/refresh',
    tokens: stock.tokens.refresh,
    follow: 'refresh',
    member: 'refresh_token',
    connections: 4,
    // At full speed, each would make all others wait for the disk.
    rate: REFRESHES,
  });
  step('warming up');
  await warmUp([guarded, refreshing], seconds * 2);
  /** @type {import('./machinery/processes.mjs').Cost[]} */
  const samples = [];
  let sent = 0;
  while (sent < requests) {
    await together([guarded, refreshing], { rounds: 1, seconds });
    sent += [guarded, refreshing].reduce((sum, { samples: [sample] }) => sum + (sample?.count ?? 0), 0);
    for (const contender of [guarded, refreshing]) contender.samples.length = 0;
    samples.push(await server.cost());
    step(`${sent.toLocaleString('en')} of ${requests.toLocaleString('en')} requests`);
  }
  await server.stop();
  // The first third still fills the bounded caches.
  const third = Math.ceil(samples.length / 3);
  /** @param {'rss' | 'heapUsed'} what */
  const growth = (what) => {
    const [before, after] = [samples.slice(third, -third), samples.slice(-third)].map((part) =>
      part.map((sample) => sample[what]),
    );
    const value = median(after ?? []) / median(before ?? []);
    return { median: value, low: value, high: value };
  };
  const [first, last] = [samples[0], samples.at(-1)];
  /** @param {number} [bytes] */
  const megabytes = (bytes = 0) => Math.round(bytes / 1e6);
  return {
    title: `Memory over ${sent.toLocaleString('en')} requests`,
    goals: [
      { name: 'heap in use, the last third ÷ the one before', value: growth('heapUsed'), atMost: 1.05 },
      { name: 'memory (RSS), the last third ÷ the one before', value: growth('rss'), atMost: 1.05 },
    ],
    table: {
      head: ['MB', 'after the warm-up', 'at the end'],
      rows: [
        ['heap in use', megabytes(first?.heapUsed), megabytes(last?.heapUsed)],
        ['RSS', megabytes(first?.rss), megabytes(last?.rss)],
      ],
    },
  };
}
