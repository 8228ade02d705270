/** A guarded GET over one, many and very many connections that are kept open. */
import { startServer } from './machinery/processes.mjs';
import { inTurns, perCpuSecond, spread, underLoad, warmUp } from './machinery/rounds.mjs';
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
  // One connection may also be the slowest: any two counts are compared.
  const flat = Array.from({ length: rounds }, (_, round) => {
    const found = all.flatMap(({ samples }) => samples.slice(round, round + 1).map(perCpuSecond));
    return Math.min(...found) / Math.max(...found);
  });
  return {
    title: 'Connections',
    goals: [
      { name: '1, 500 and 5,000 connections: the slowest ÷ the fastest', value: spread(flat), atLeast: 0.85 },
    ],
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
