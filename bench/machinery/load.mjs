/** A load generator, in a separate process, so that it does not use the servers' core or event loop. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { Latencies } from './latencies.mjs';
import { username } from './usernames.mjs';

/**
 * @typedef {object} Load
 * @property {string} url where the server listens
 * @property {string} [method]
 * @property {string} path
 * @property {string} [tokens] a JSON file with a list of tokens, one for each request, in turns
 * @property {string} [header] the header that carries them, `Authorization: Bearer ` where none is named
 * @property {number} [from] the first token that is used
 * @property {boolean} [once] no token is sent a second time; when they are used up, the load fails
 * @property {'refresh'} [follow] the answer holds the next token of the same session
 * @property {number} [users] logins of so many users, in turns
 * @property {string} [password] of each of them
 * @property {string} [answer] the body of every right answer; without it, its JSON must have `member`
 * @property {string} [member]
 * @property {number} connections
 * @property {number} seconds
 * @property {number} [rate] requests a second; without it, each connection sends as soon as it has its answer
 */

/**
 * @typedef {object} Outcome
 * @property {number} answers right ones
 * @property {number} seconds
 * @property {number[]} latencies see `Latencies`
 * @property {number} next the first token that was not used
 * @property {string} [wrong] what came instead of a right answer
 */

/** Milliseconds after which an answer counts as missing. */
const PATIENCE = 10_000;
/** Connections that are opened at once: a server's queue for those that it has not accepted yet is short. */
const GROUP = 200;
const HEAD_END = Buffer.from('\r\n\r\n');
const OK = Buffer.from('HTTP/1.1 200 ');

/** @type {Map<string, string[]>} */
const files = new Map();

/** @param {string} path */
function tokensOf(path) {
  let tokens = files.get(path);
  if (!tokens) files.set(path, (tokens = JSON.parse(readFileSync(path, 'utf8'))));
  return /** @type {string[]} */ (tokens);
}

/** @param {Load} load @returns {Promise<Outcome>} */
async function run(load) {
  const { hostname, port } = new URL(load.url);
  const tokens = load.tokens === undefined ? undefined : tokensOf(load.tokens);
  const expected = load.answer === undefined ? undefined : Buffer.from(load.answer);
  const before =
    `${load.method ?? 'GET'} ${load.path} HTTP/1.1\r\nHost: ${hostname}:${port}\r\n` +
    'User-Agent: bench\r\nAccept: application/json\r\n' +
    (load.method === 'POST' && load.users === undefined ? 'Content-Length: 0\r\n' : '');
  const carrier = load.header ?? 'Authorization: Bearer ';
  const latencies = new Latencies();
  const upTo = load.once ? (tokens?.length ?? 0) : Infinity;
  let next = load.from ?? 0;
  let answers = 0;
  let done = false;
  /** @type {string | undefined} */
  let wrong;

  const began = performance.now();
  const ends = began + load.seconds * 1000;
  /** Of each connection. @type {((text: string) => void)[]} */
  const fails = [];
  const patience = setTimeout(
    () => {
      for (const fail of fails) fail('an answer does not come');
    },
    load.seconds * 1000 + PATIENCE,
  );

  /** @type {Promise<unknown>[]} */
  const connected = [];
  /** Resolved by the first answer, which shows that the server has accepted the connection. @type {Promise<void>[]} */
  const answered = [];
  /** @type {Promise<void>[]} */
  const over = [];
  /** Connections that wait for work, and work that waits for one of them. @type {((due: number) => void)[]} */
  const idle = [];
  /** @type {number[]} */
  const late = [];
  for (let i = 0; i < load.connections; i++) {
    if (load.rate === undefined && i % GROUP === 0) await Promise.all(answered);
    let firstAnswer = () => {};
    answered.push(new Promise((resolve) => (firstAnswer = resolve)));
    over.push(
      new Promise((resolve) => {
        const socket = connect({ host: hostname, port: Number(port), noDelay: true });
        connected.push(once(socket, 'connect').catch(() => {}));
        let sent = 0;
        let mine = 0;
        /** @type {Buffer | undefined} */
        let pending;
        let finished = false;
        const finish = () => {
          finished = true;
          socket.destroy();
          firstAnswer();
          resolve();
        };
        /** @param {string} text */
        const fail = (text) => {
          if (finished) return;
          wrong ??= text;
          done = true;
          finish();
        };
        fails.push(fail);
        const send = (/** @type {number | undefined} */ due) => {
          if (finished) return;
          if (done || performance.now() >= ends) {
            finish();
            return;
          }
          if (next >= upTo) {
            fail('no token is left that was never sent');
            return;
          }
          let request = before;
          let body = '';
          if (load.users !== undefined) {
            body = JSON.stringify({ username: username(next++ % load.users), password: load.password });
            request += `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`;
          }
          if (tokens) {
            mine = next++ % tokens.length;
            request += `${carrier}${tokens[mine]}\r\n`;
          }
          sent = due ?? performance.now();
          socket.write(`${request}\r\n${body}`, 'latin1');
        };
        const ready = () => {
          const due = late.shift();
          if (load.rate === undefined || due !== undefined) send(due);
          else if (done) finish();
          else idle.push(send);
        };
        socket.on('connect', ready);
        socket.on('error', (error) => fail(String(error)));
        socket.on('close', () => fail('the server closed a connection'));
        socket.on('data', (chunk) => {
          const got = pending ? Buffer.concat([pending, chunk]) : chunk;
          const headEnd = got.indexOf(HEAD_END);
          const length = headEnd < 0 ? undefined : contentLength(got, headEnd);
          if (headEnd >= 0 && length === undefined) {
            fail(`an answer without Content-Length: ${got.toString()}`);
            return;
          }
          if (length === undefined || got.length < headEnd + 4 + length) {
            pending = got;
            return;
          }
          pending = undefined;
          latencies.add(performance.now() - sent);
          const answer = got.subarray(headEnd + 4);
          const right = got.subarray(0, OK.length).equals(OK) && isRight(answer);
          if (!right) {
            fail(`a wrong answer: ${got.toString()}`);
            return;
          }
          answers++;
          firstAnswer();
          ready();
        });
        /** @param {Buffer} answer */
        const isRight = (answer) => {
          if (expected) return answer.equals(expected);
          const value = JSON.parse(answer.toString())[load.member ?? ''];
          if (load.follow && tokens) tokens[mine] = value;
          return typeof value === 'string' && value !== '';
        };
      }),
    );
  }
  if (load.rate !== undefined) {
    await pace(load.rate, ends);
    done = true;
    for (const send of idle.splice(0)) send(0);
  }
  await Promise.all(over);
  clearTimeout(patience);
  return {
    answers,
    seconds: (performance.now() - began) / 1000,
    latencies: latencies.counts,
    next,
    ...(wrong === undefined ? {} : { wrong }),
  };

  /**
   * Sends at fixed times, independent of earlier answers. The latency of a request that waits for a connection counts from
   * the moment at which it was due.
   * @param {number} rate @param {number} until
   */
  async function pace(rate, until) {
    await Promise.all(connected);
    let due = performance.now();
    for (; performance.now() < until; due += 1000 / rate) {
      if (done) return;
      for (let left; (left = due - performance.now()) > 0;) await delay(Math.ceil(left));
      const send = idle.shift();
      if (send) send(performance.now());
      else late.push(due);
    }
  }
}

/** @param {Buffer} got @param {number} headEnd */
function contentLength(got, headEnd) {
  const [, length] = /\r\ncontent-length: (\d+)/i.exec(got.toString('latin1', 0, headEnd)) ?? [];
  return length === undefined ? undefined : Number(length);
}

process.on('message', (message) => {
  const load = /** @type {Load} */ (message);
  run(load).then(
    (outcome) => process.send?.(outcome),
    (error) => process.send?.({ wrong: String(error.stack) }),
  );
});
// The probe releases the channel; nothing else keeps this process alive.
process.channel?.ref();
// Only now can it receive its task.
process.send?.('ready');
