/** A guarded GET as shipped and without its log, compared with the same handler without a guard and with the usual alternatives. */
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ANSWER_TEXT } from './peers/answer.mjs';
import { peerToken } from './peers/secret.mjs';
import { folder, startServer } from './machinery/processes.mjs';
import { inTurns, perCpuSecond, ratio, together, underLoad, warmUp } from './machinery/rounds.mjs';
import { copied, fill } from './machinery/stock.mjs';

/** Live tokens in rotation; each server sees all of them repeatedly. */
const TOKENS = 1_000;
const CONNECTIONS = 16;

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  step('filling a database');
  const stock = await fill({ live: TOKENS, access: TOKENS, ended: 100_000 });
  const files = folder();
  const peerTokens = join(files, 'hs256.json');
  writeFileSync(peerTokens, JSON.stringify(Array.from({ length: TOKENS }, (_, n) => peerToken(n))));

  step('starting everybody');
  const load = { answer: ANSWER_TEXT, connections: CONNECTIONS };
  /** @param {string} name @param {string} file @param {Record<string, string>} [env] */
  const peer = async (name, file, env = {}, output = /** @type {number | undefined} */ (undefined)) =>
    underGuard(name, await startServer(file, output === undefined ? { env } : { env, output }), {
      ...load,
      path: '/bench/guarded',
      tokens: peerTokens,
    });
  /** @param {string} name @param {Record<string, string>} [env] */
  const betterAuth = async (name, env = {}) => {
    const tokens = join(folder(), 'cookies.json');
    const server = await startServer('better-auth', {
      env: { ...env, TOKENS: tokens, SESSIONS: String(TOKENS) },
    });
    return underGuard(name, server, { ...load, path: '/', tokens, header: 'Cookie: ' });
  };

  const [one, other] = [
    await startServer('freshgate', { env: copied(stock) }),
    await startServer('freshgate', { env: copied(stock) }),
  ];
  const ours = { ...load, tokens: stock.tokens.access };
  const guarded = await underGuard('freshgate, guarded', one, { ...ours, path: '/bench/guarded' });
  const open = underLoad('freshgate, the same handler public', other, { ...ours, path: '/bench/public' });
  // The same two with exchanged processes, so that differences between the processes cancel out.
  const guardedThere = await underGuard('guarded, there', other, { ...ours, path: '/bench/guarded' });
  const openThere = underLoad('public, there', one, { ...ours, path: '/bench/public' });
  const bare = await peer('node:http, an HMAC checked by hand', 'bare');
  const usual = await peer('Nest as usual: Express, passport-jwt, string secret', 'nest-usual');
  const fastifyJwt = await peer('Fastify, @fastify/jwt with its cache', 'fastify-jwt');
  const better = await betterAuth('better-auth on node:http');
  const log = (/** @type {string} */ name) => openSync(join(files, name), 'a');
  const shipped = await underGuard(
    'freshgate as shipped, with its line for each request',
    await startServer('freshgate', { env: { ...copied(stock), LOG_LEVEL: 'info' }, output: log('ours') }),
    { ...ours, path: '/bench/guarded' },
  );
  const logging = await peer(
    'Fastify with its request log, @fastify/jwt with its cache',
    'fastify-jwt',
    { LOG: '1' },
    log('theirs'),
  );
  // Without a goal.
  const more = async () => [
    underLoad('an empty Nest on Fastify, no token looked at', await startServer('nest-empty'), {
      ...ours,
      path: '/bench/public',
    }),
    await peer('Nest as usual, but with a KeyObject', 'nest-usual', { KEY_OBJECT: '1' }),
    await peer('Express, jsonwebtoken, string secret', 'express-jsonwebtoken'),
    await betterAuth('better-auth with its cookie cache', { COOKIE_CACHE: '1' }),
  ];
  const peers = [bare, fastifyJwt, usual, better, ...(quick ? [] : await more())];

  const [rounds, seconds, warm] = quick ? [2, 0.5, 1] : [5, 2, 3];
  // Both alike, so that the compiler and the garbage collector treat both alike.
  for (const pair of [
    [guarded, openThere],
    [guardedThere, open],
    ...[shipped, logging, ...peers].map((each) => [each]),
  ]) {
    step(`warming up: ${pair.map(({ name }) => name).join(' and ')}`);
    await warmUp(pair, warm * pair.length);
  }

  const pairs = quick ? 2 : 9;
  for (let i = 0; i < pairs; i++) {
    step(`guarded beside public, round ${i + 1} of ${pairs}`);
    await together([guarded, open], { rounds: 1, seconds });
    await together([guardedThere, openThere], { rounds: 1, seconds });
  }
  const besidePublic = ratio(
    { samples: [...guarded.samples, ...guardedThere.samples] },
    { samples: [...open.samples, ...openThere.samples] },
    perCpuSecond,
  );
  /** @type {Map<import('./machinery/rounds.mjs').Contender, import('./machinery/rounds.mjs').Ratio>} */
  const beside = new Map([[open, besidePublic]]);
  for (const contender of peers) {
    guarded.samples.length = 0;
    await together([guarded, contender], {
      rounds,
      seconds,
      step: () => step(`guarded beside ${contender.name}`),
    });
    beside.set(contender, ratio(guarded, contender, perCpuSecond));
  }

  /** @type {Map<import('./machinery/rounds.mjs').Contender, import('./machinery/rounds.mjs').Ratio>} */
  const besideShipped = new Map();
  for (const contender of [guarded, logging]) {
    for (const each of [shipped, contender]) each.samples.length = 0;
    await together([shipped, contender], {
      rounds: quick ? rounds : 9,
      seconds,
      step: () => step(`as shipped beside ${contender.name}`),
    });
    besideShipped.set(contender, ratio(shipped, contender, perCpuSecond));
  }

  const all = [shipped, logging, guarded, open, ...peers];
  for (const contender of all) contender.samples.length = 0;
  await inTurns(all, { rounds: quick ? 1 : 2, seconds, step: () => step('each alone, in turns') });

  return {
    title: 'A guarded GET',
    goals: [
      {
        name: 'as shipped ÷ guarded without lines',
        value: besideShipped.get(guarded),
        atLeast: 0.75,
        aim: 0.85,
      },
      { name: `as shipped ÷ ${logging.name}`, value: besideShipped.get(logging), atLeast: 1, aim: 1.15 },
      { name: 'guarded ÷ the same handler public', value: besidePublic, atLeast: 0.92, aim: 0.95 },
      { name: `guarded ÷ ${bare.name}`, value: beside.get(bare), atLeast: 0.9, aim: 0.95 },
      { name: `guarded ÷ ${fastifyJwt.name}`, value: beside.get(fastifyJwt), atLeast: 1, aim: 1.1 },
      { name: `guarded ÷ ${usual.name}`, value: beside.get(usual), atLeast: 4 },
      { name: `guarded ÷ ${better.name}`, value: beside.get(better), atLeast: 10 },
    ],
    table: {
      head: [
        'server',
        'as shipped does … times as much',
        'without lines it does … times as much',
        'answers a second, alone',
        'p50',
        'p99',
      ],
      rows: all.map((contender) => [
        contender.name,
        besideShipped.get(contender) ?? '',
        beside.get(contender) ?? '',
        Math.round(contender.median(({ rate }) => rate)),
        { milliseconds: contender.quantile(0.5) },
        { milliseconds: contender.quantile(0.99) },
      ]),
    },
    chart: {
      title: 'Answers to a guarded GET, per second of CPU',
      bars: all.map((contender) => ({
        label: contender.name,
        value: contender.median(perCpuSecond),
        ours: contender === guarded || contender === shipped,
      })),
    },
    profile: () => ({ env: copied(stock), load: { ...ours, path: '/bench/guarded' } }),
  };
}

/**
 * Measures a server under load, after checking that it is guarded: a server without a check is fast.
 * @param {string} name
 * @param {import('./machinery/processes.mjs').Process} server
 * @param {{ path: string, tokens: string, header?: string, answer: string, connections: number }} load
 */
async function underGuard(name, server, load) {
  const [header = '', scheme = ''] = (load.header ?? 'Authorization: Bearer ').split(': ');
  const [token] = JSON.parse(readFileSync(load.tokens, 'utf8'));
  // Changes the signature at its end.
  const forged = token.slice(0, -10) + (token.at(-10) === 'A' ? 'B' : 'A') + token.slice(-9);
  for (const [headers, right] of /** @type {const} */ ([
    [{}, 401],
    [{ [header]: scheme + forged }, 401],
    [{ [header]: scheme + token }, 200],
  ])) {
    const { status } = await fetch(server.url + load.path, { headers });
    if (status !== right) throw new Error(`${name}: ${status}, and not ${right}`);
  }
  return underLoad(name, server, load);
}
