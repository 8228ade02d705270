/** A refresh, compared with the bare work, and with many sessions compared with few; on both engines. */
import { join } from 'node:path';
import { folder, startServer } from './machinery/processes.mjs';
import { newDatabase } from './machinery/postgres.mjs';
import { isMet } from './machinery/report.mjs';
import { inTurns, ratio, underLoad, warmUp } from './machinery/rounds.mjs';
import { fill } from './machinery/stock.mjs';
import { ANSWER_TEXT } from './peers/answer.mjs';

const LOAD = {
  method: 'POST',
  path: '/auth/refresh',
  follow: /** @type {const} */ ('refresh'),
  member: 'refresh_token',
  connections: 16,
};
const ENGINES = /** @type {const} */ (['SQLite', 'PostgreSQL']);

/** @param {number} sessions @param {string | undefined} url */
async function renewals(sessions, url = '') {
  const tokens = join(folder(), 'cookies.json');
  const env = { TOKENS: tokens, SESSIONS: String(sessions), DATABASE_URL: url };
  const server = await startServer('better-auth', { env });
  const load = { path: '/', header: 'Cookie: ', tokens, answer: ANSWER_TEXT, connections: LOAD.connections };
  return underLoad('PostgreSQL: better-auth renews the session of each request', server, load);
}

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  const [rounds, seconds, warm] = quick ? [2, 0.5, 2] : [6, 2.5, 24];
  const [few, many] = [1_000, quick ? 10_000 : 1_000_000];
  /** @type {import('./machinery/report.mjs').Goal[]} */
  const goals = [];
  /** @type {import('./machinery/report.mjs').Cell[][]} */
  const rows = [];
  for (const engine of ENGINES) {
    const url = async () => (engine === 'SQLite' ? undefined : newDatabase());
    step(`${engine}: filling databases`);
    const [ours, bares, large] = await Promise.all([
      fill({ live: few, refresh: few }, await url()),
      fill({ live: few, refresh: few }, await url()),
      fill({ live: many, refresh: Math.min(many, 10_000) }, await url()),
    ]);
    /** @param {string} name @param {string} peer @param {import('./machinery/stock.mjs').Stocked} stock */
    const contender = async (name, peer, { env, tokens }) =>
      underLoad(`${engine}: ${name}`, await startServer(peer, { env }), { ...LOAD, tokens: tokens.refresh });
    const [small, bare, big] = [
      await contender(`freshgate, ${few.toLocaleString('en')} sessions`, 'freshgate', ours),
      await contender('the bare work', 'bare-refresh', bares),
      await contender(`freshgate, ${many.toLocaleString('en')} sessions`, 'freshgate', large),
    ];
    const all = [small, bare, big];
    const renewal = engine === 'PostgreSQL' ? await renewals(few, await url()) : undefined;
    if (renewal) all.push(renewal);
    step(`${engine}: warming up`);
    await warmUp(all, warm);
    await inTurns(all, { rounds, seconds, step: () => step(`${engine}: refreshing`) });
    goals.push(
      {
        name: `${engine}: refreshes ÷ the bare work`,
        value: ratio(small, bare, ({ rate }) => rate),
        ...(engine === 'SQLite' ? { atLeast: 0.5, aim: 0.7 } : { atLeast: 0.45, aim: 0.6 }),
      },
      {
        name: `${engine}: ${many.toLocaleString('en')} sessions ÷ ${few.toLocaleString('en')}`,
        value: ratio(big, small, ({ rate }) => rate),
        atLeast: 0.9,
      },
    );
    if (renewal)
      goals.push({
        name: `${engine}: refreshes ÷ better-auth’s renewals of a session`,
        value: ratio(small, renewal, ({ rate }) => rate),
        atLeast: 1,
        aim: 2,
      });
    rows.push(
      ...all.map((each) => [
        each.name,
        Math.round(each.median(({ rate }) => rate)),
        Math.round(each.median(({ cpu }) => cpu)),
        { milliseconds: each.quantile(0.5) },
        { milliseconds: each.quantile(0.99) },
      ]),
    );
    await Promise.all(all.map(({ server }) => server.stop()));
  }
  return {
    title: 'Refreshing',
    goals,
    table: { head: ['server', 'a second', 'µs of CPU', 'p50', 'p99'], rows },
    profile: async () => {
      const missed = goals.find((goal) => !isMet(goal))?.name.startsWith('PostgreSQL');
      const { env, tokens } = await fill(
        { live: few, refresh: few },
        missed ? await newDatabase() : undefined,
      );
      return { env, load: { ...LOAD, tokens: tokens.refresh } };
    },
  };
}
