import { Agent, request } from 'node:http';
import { performance } from 'node:perf_hooks';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

/*
 * Sends requests at a rate that does not depend on the answers (an open loop), and tells when they came. A process of
 * its own, and plain JavaScript that Node runs as it is: what it costs is not to be the server's or the test's.
 *
 *   node generator.mjs '{"url": "http://…", "rate": 200, "seconds": 10, "token": "…"}'
 *
 * With a token: `GET /profile`, evenly spaced. With names: logins with wrong passwords at random moments (a Poisson
 * process), each from another address. Writes one line of JSON: the answers, as `Answer` in `traffic.ts`.
 */
const { url, rate, seconds, token, names } = JSON.parse(process.argv[2] ?? '{}');
const { hostname, port } = new URL(url);
const agent = new Agent({ keepAlive: true, maxSockets: Infinity, maxFreeSockets: Infinity });
/** Milliseconds after which an answer is not waited for any more. */
const PATIENCE = 20_000;
/** Milliseconds that a timer may be late; the rest of the way to a moment that is measured from is waited actively. */
const TIMER_ERROR = 1.5;
/** The share of the logins that is for accounts that exist: so few that their limits do not do the work. */
const EXISTING = 0.05;

const answers = [];

/** @param meant the moment from which is measured; a stall of the server or of this process lies behind it */
function send(options, body, meant) {
  return new Promise((resolve) => {
    const done = (status, errorCode = null, retryAfter = null) => {
      const milliseconds = Math.round((performance.now() - meant) * 1000) / 1000;
      answers.push({ at: meant - begin, milliseconds, status, errorCode, retryAfter });
      resolve();
    };
    const outgoing = request({ hostname, port, agent, timeout: PATIENCE, ...options }, (incoming) => {
      const chunks = [];
      incoming.on('data', (chunk) => chunks.push(chunk));
      incoming.once('error', (error) => done(0, error.code));
      incoming.once('end', () => {
        const [, errorCode] = /"errorCode":"(\w+)"/.exec(Buffer.concat(chunks).toString()) ?? [];
        done(incoming.statusCode, errorCode, incoming.headers['retry-after']);
      });
    });
    outgoing.once('timeout', () => outgoing.destroy(Object.assign(new Error(), { code: 'TIMEOUT' })));
    outgoing.once('error', (error) => done(0, error.code));
    outgoing.end(body);
  });
}

function ask(meant) {
  return send({ path: '/profile', headers: { Authorization: `Bearer ${token}` } }, undefined, meant);
}

function logIn(meant) {
  const random = Math.floor(Math.random() * 2 ** 24);
  const username = Math.random() < EXISTING ? names[random % names.length] : `flood-${random}`;
  const body = JSON.stringify({ username, password: `guess-${random}` });
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'X-Forwarded-For': `100.${random >> 16}.${(random >> 8) & 255}.${random & 255}`,
  };
  return send({ method: 'POST', path: '/auth/login', headers }, body, meant);
}

const evenly = () => 1000 / rate;
const randomly = () => (-Math.log(1 - Math.random()) * 1000) / rate;
const [act, gap, ahead] = token ? [ask, evenly, TIMER_ERROR] : [logIn, randomly, 0];

const under = [];
const begin = performance.now();
for (let at = begin; at < begin + seconds * 1000; at += gap()) {
  const wait = at - performance.now() - ahead;
  if (wait > 0) await sleep(wait);
  while (performance.now() < at) await nextTurn();
  under.push(act(at));
}
await Promise.all(under);
process.stdout.write(`${JSON.stringify(answers)}\n`, () => process.exit(0));
