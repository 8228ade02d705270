/** The cost of a token that the server sees for the first time, compared with a public answer. */
import { ANSWER_TEXT } from './peers/answer.mjs';
import { startServer } from './machinery/processes.mjs';
import { loop, spread, together, underLoad, warmUp } from './machinery/rounds.mjs';
import { copied, fill } from './machinery/stock.mjs';

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  const [rounds, seconds, warm] = quick ? [3, 0.8, 3] : [9, 2, 6];
  step('making tokens that the server has not seen');
  const stock = await fill({ live: 1_000, access: 1_000, unseen: quick ? 18_000 : 100_000, ended: 100_000 });
  const load = { tokens: stock.tokens.unseen, answer: ANSWER_TEXT, connections: 16 };
  const first = underLoad(
    'freshgate, a token seen for the first time',
    await startServer('freshgate', { env: copied(stock) }),
    // Each token is sent once; the run fails if there are too few.
    { ...load, path: '/bench/guarded', once: true },
  );
  const open = underLoad(
    'freshgate, the same handler public',
    await startServer('freshgate', { env: copied(stock) }),
    { ...load, path: '/bench/public' },
  );
  const byHand = underLoad(
    'freshgate, the same handler public, one ES256 verification by hand',
    await startServer('freshgate', { env: copied(stock) }),
    { ...load, path: '/bench/by-hand' },
  );
  const es256 = loop(
    'one ES256 verification in a loop',
    await startServer('es256', {
      env: { KEYS: stock.env.AUTH_KEYS_FILE ?? '', TOKENS: stock.tokens.access },
    }),
  );
  const all = [first, open, byHand, es256];
  step('warming up');
  await warmUp(all, warm);
  await together(all, { rounds, seconds, step: () => step('first sights') });

  const beyond = (/** @type {import('./machinery/rounds.mjs').Contender} */ { samples }) =>
    samples.map(({ cpu }, i) => cpu - (open.samples[i]?.cpu ?? 0));
  const bare = beyond(byHand);
  const cost = beyond(first).map((cpu, i) => cpu / (bare[i] ?? 0));
  return {
    title: 'The first sight of a token',
    goals: [
      {
        name: 'a first sight ÷ one bare ES256 verification, both beyond a public answer',
        value: spread(cost),
        atMost: 1.3,
      },
    ],
    table: {
      head: ['what', 'µs of CPU'],
      rows: all.map((contender) => [contender.name, Math.round(contender.median(({ cpu }) => cpu))]),
    },
    profile: () => ({ env: copied(stock), load: { ...load, path: '/bench/guarded' } }),
  };
}
