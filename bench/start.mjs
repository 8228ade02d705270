/** Start and memory, compared with an empty Nest application. */
import { get } from 'node:http';
import { startProduct, startServer } from './machinery/processes.mjs';
import { median, spread } from './machinery/rounds.mjs';
import { fill } from './machinery/stock.mjs';

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  const [rounds, rest] = quick ? [2, 600] : [6, 3_000];
  step('filling a database');
  // As in production, with its log; from the second start on.
  const { env } = await fill({ live: 1_000 });
  const shipped = { ...env, LOG_LEVEL: 'info' };
  const contenders = [
    { name: 'freshgate', start: () => startProduct({ env: shipped }), path: '/health/live' },
    { name: 'an empty Nest on Fastify', start: () => startServer('nest-empty'), path: '/bench/public' },
  ].map((contender) => ({
    ...contender,
    first: /** @type {number[]} */ ([]),
    cpu: /** @type {number[]} */ ([]),
    rss: /** @type {number[]} */ ([]),
  }));
  for (let i = 0; i < rounds; i++) {
    step(`start ${i + 1} of ${rounds}`);
    for (const contender of i % 2 === 0 ? contenders : contenders.toReversed()) {
      const server = await contender.start();
      const status = await answer(server.url + contender.path);
      if (status !== 200) throw new Error(`${contender.name} answers ${status}`);
      contender.first.push(performance.now() - server.began);
      contender.cpu.push((await server.cost()).cpu / 1000);
      await new Promise((resolve) => setTimeout(resolve, rest));
      contender.rss.push((await server.cost()).rss / 1e6);
      await server.stop();
    }
  }
  const [ours, empty] = contenders;
  if (!ours || !empty) throw new Error('the servers did not start');
  /** @param {'first' | 'cpu' | 'rss'} what */
  const beside = (what) => spread(ours[what].map((value, i) => value / (empty[what][i] ?? 0)));
  return {
    title: 'Start and memory',
    goals: [
      { name: 'start to the first answer ÷ an empty Nest’s', value: beside('first'), atMost: 2.3 },
      { name: 'idle memory (RSS) ÷ an empty Nest’s', value: beside('rss'), atMost: 1.6 },
    ],
    table: {
      head: ['server', 'ms to the first answer', 'ms of CPU until then', 'MB idle'],
      rows: contenders.map(({ name, first, cpu, rss }) => [
        name,
        Math.round(median(first)),
        Math.round(median(cpu)),
        Math.round(median(rss)),
      ]),
    },
    profile: () => ({ env: shipped }),
  };
}

/** @param {string} url @returns {Promise<number>} */
function answer(url) {
  return new Promise((resolve, reject) => {
    get(url, (response) => {
      response.resume().once('end', () => resolve(response.statusCode ?? 0));
    }).once('error', reject);
  });
}
