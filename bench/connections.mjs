/** A guarded GET over one, many and very many connections that are kept open. */
import { startServer } from './machinery/processes.mjs';
import { inTurns, perCpuSecond, ratio, underLoad, warmUp } from './machinery/rounds.mjs';
import { fill } from './machinery/stock.mjs';
import { ANSWER_TEXT } from './peers/answer.mjs';

const COUNTS = [1, 500, 5_000];

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  const [rounds, seconds, warm] = quick ? [2, 1, 1] : [6, 3, 5];
  step('filling a database');
  const { env, tokens } = await fill({ live: 1_000, access: 1_000 });
  const server = await startServer('freshgate', { env });
  const load = { path: '/bench/guarded', tokens: tokens.access, answer: ANSWER_TEXT };
  // A connection that the server resets ends the run.
  const all = COUNTS.map((connections) =>
    underLoad(`${connections.toLocaleString('en')} connections`, server, { ...load, connections }),
  );
  for (const each of all) await warmUp([each], warm);
  await inTurns(all, { rounds, seconds, step: () => step('in turns') });
  const [one, ...others] = all;
  if (!one) throw new Error('there is nothing to compare');
  return {
    title: 'Connections',
    goals: others.map((each) => ({
      name: `${each.name} ÷ one`,
      value: ratio(each, one, perCpuSecond),
      atLeast: 0.85,
    })),
    table: {
      head: ['', 'answers a second', 'µs of CPU', 'p50', 'p99'],
      rows: all.map((each) => [
        each.name,
        Math.round(each.median(({ rate }) => rate)),
        Math.round(each.median(({ cpu }) => cpu)),
        { milliseconds: each.quantile(0.5) },
        { milliseconds: each.quantile(0.99) },
      ]),
    },
  };
}
