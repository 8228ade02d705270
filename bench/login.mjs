/** Logins: their cost besides the hash, and their effect on other requests. */
import { ANSWER_TEXT } from './peers/answer.mjs';
import { newDatabase } from './machinery/postgres.mjs';
import { dist } from './peers/product.mjs';
import { startServer } from './machinery/processes.mjs';
import { inTurns, loop, ratio, spread, together, underLoad, warmUp } from './machinery/rounds.mjs';
import { copied, fill } from './machinery/stock.mjs';
import { PASSWORD } from './machinery/usernames.mjs';

/** More than are hashed at once, fewer than are refused. */
const CLIENTS = 16;
const STEADY = 200;

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  const [rounds, seconds, warm] = quick ? [2, 1, 2] : [7, 3, 8];
  step('filling a database');
  const stock = await fill({ live: 1_000, access: 1_000 });
  const { hashesAtOnce } = await dist('passwords/hashing-queue.js');
  const logins = {
    method: 'POST',
    path: '/auth/login',
    users: 100,
    password: PASSWORD,
    member: 'access_token',
    connections: CLIENTS,
  };

  // On all cores, as in production: the product hashes on all but one.
  const everywhere = { core: undefined };
  const login = underLoad(
    'logins',
    await startServer('freshgate', { env: copied(stock), ...everywhere }),
    logins,
  );
  const argon2 = loop(
    'argon2 alone',
    await startServer('argon2', { env: { AT_ONCE: String(hashesAtOnce()) }, ...everywhere }),
  );
  await warmUp([login], warm);
  await warmUp([argon2], 1);
  await inTurns([login, argon2], { rounds, seconds, step: () => step('logins, and argon2 alone') });
  const alone = ratio(login, argon2, ({ rate }) => rate);
  await Promise.all([login.server.stop(), argon2.server.stop()]);

  // SQLite works on the main thread except for COMMIT, PostgreSQL in its own processes.
  const engines = [
    { engine: 'SQLite', of: stock, env: copied(stock) },
    await fill({ live: 1_000, access: 1_000 }, await newDatabase()).then((of) => ({
      engine: 'PostgreSQL',
      of,
      env: of.env,
    })),
  ];
  /** @type {import('./machinery/report.mjs').Goal[]} */
  const goals = [{ name: 'logins ÷ what argon2 alone verifies', value: alone, atLeast: 0.95 }];
  const contenders = [login, argon2];
  for (const { engine, of, env } of engines) {
    const server = await startServer('freshgate', { env, ...everywhere });
    const guarded = { path: '/bench/guarded', tokens: of.tokens.access, answer: ANSWER_TEXT };
    const steady = { ...guarded, connections: 64, rate: STEADY };
    // The measuring client has priority: otherwise it would also measure its own wait for a core.
    const first = { first: true };
    const calm = underLoad(`${engine}: ${STEADY} a second`, server, steady, first);
    const flooded = underLoad(
      `${engine}: ${STEADY} a second, beside a flood of logins`,
      server,
      steady,
      first,
    );
    const flood = underLoad(`${engine}: the flood`, server, logins);
    // Warms up at full speed: at a low rate, code that is not compiled yet would be measured.
    const eager = underLoad(`${engine}: warming up`, server, { ...guarded, connections: CLIENTS });
    await warmUp([eager, flood], warm);
    await warmUp([flood], warm / 2);
    const [times, long] = quick ? [2, 1] : [5, 4];
    for (let i = 0; i < times; i++) {
      step(`${engine}: ${STEADY} requests a second, round ${i + 1} of ${times}`);
      await inTurns([calm], { rounds: 1, seconds: long });
      await together([flooded, flood], { rounds: 1, seconds: long });
    }
    const p99 = flooded.samples.map(
      ({ latencies }, i) => latencies.quantile(0.99) / (calm.samples[i]?.latencies.quantile(0.99) ?? 0),
    );
    await server.stop();
    goals.push({
      name: `${engine}: p99 at a steady ${STEADY} a second, beside a flood of logins ÷ idle`,
      value: spread(p99),
      atMost: 2,
    });
    contenders.push(calm, flooded, flood);
  }

  return {
    title: 'Logins',
    goals,
    table: {
      head: ['what', 'a second', 'ms of CPU', 'p50', 'p99'],
      rows: contenders.map((contender) => [
        contender.name,
        Number(contender.median(({ rate }) => rate).toPrecision(3)),
        // The CPU time of one server cannot be split between the two loads.
        contender.name.includes('flood')
          ? ''
          : Number((contender.median(({ cpu }) => cpu) / 1000).toPrecision(3)),
        contender === argon2 ? '' : { milliseconds: contender.quantile(0.5) },
        contender === argon2 ? '' : { milliseconds: contender.quantile(0.99) },
      ]),
    },
    profile: () => ({ env: copied(stock), load: logins }),
  };
}
