/** Two instances on one PostgreSQL: how long the other one accepts an access token after the answer to a logout. */
import { Agent, request } from 'node:http';
import { readFileSync } from 'node:fs';
import { startServer } from './machinery/processes.mjs';
import { newDatabase } from './machinery/postgres.mjs';
import { quantile } from './machinery/rounds.mjs';
import { fill } from './machinery/stock.mjs';

/** @param {import('./main.mjs').Plan} plan @returns {Promise<import('./machinery/report.mjs').Result>} */
export async function measure({ quick, step }) {
  const times = quick ? 50 : 1_000;
  step('filling a database');
  const stock = await fill({ live: times, access: times }, await newDatabase());
  const here = await startServer('freshgate', { env: stock.env });
  const there = await startServer('freshgate', { env: stock.env });
  const agent = new Agent({ keepAlive: true });
  /** @param {string} method @param {string} url @param {string} token @returns {Promise<number>} */
  const status = (method, url, token) =>
    new Promise((resolve, reject) => {
      const headers = { Authorization: `Bearer ${token}` };
      request(url, { method, agent, headers }, (response) => {
        response.resume().once('end', () => resolve(response.statusCode ?? 0));
      })
        .once('error', reject)
        .end();
    });
  /** @param {number} expected @param {number} got */
  const expect = (expected, got) => {
    if (got !== expected) throw new Error(`expected ${expected}, got ${got}`);
  };

  /** @type {number[]} */
  const lags = [];
  for (const token of /** @type {string[]} */ (JSON.parse(readFileSync(stock.tokens.access, 'utf8')))) {
    if (lags.length % 100 === 0) step(`logout ${lags.length} of ${times}`);
    expect(200, await status('GET', `${there.url}/bench/guarded`, token));
    expect(204, await status('POST', `${here.url}/auth/logout`, token));
    const answered = performance.now();
    let seen = 0;
    while (seen !== 401) {
      seen = await status('GET', `${there.url}/bench/guarded`, token);
      if (seen !== 401) expect(200, seen);
    }
    lags.push(performance.now() - answered);
  }
  agent.destroy();
  await Promise.all([here.stop(), there.stop()]);
  const p99 = quantile(lags, 0.99);
  return {
    title: 'A logout, on another instance',
    goals: [
      {
        name: 'p99, to the first refusal on the other instance, in milliseconds',
        value: { median: p99, low: quantile(lags, 0.5), high: quantile(lags, 1) },
        spreadIs: 'p50 to the longest',
        atMost: 100,
      },
    ],
  };
}
