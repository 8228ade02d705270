/** Profiles the main thread of a server with V8, for missed goals. Waiting for a disk counts too. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { folder, startProduct, startServer } from './processes.mjs';
import { underLoad } from './rounds.mjs';

/**
 * @typedef {object} Profiled
 * @property {Record<string, string>} env of the server
 * @property {Omit<import('./load.mjs').Load, 'url' | 'seconds' | 'from'>} [load] without it, the start is looked at
 */

/** Milliseconds between two samples. */
const INTERVAL = 0.25;
/** Seconds of load. */
const SECONDS = 6;
const ROWS = 12;

/**
 * Returns the share of each package in the time that is not idle, largest first.
 * @param {Profiled} what
 * @returns {Promise<[name: string, share: number][]>}
 */
export async function profile({ env, load }) {
  const path = folder();
  const node = ['--cpu-prof', `--cpu-prof-dir=${path}`, `--cpu-prof-interval=${INTERVAL * 1000}`];
  if (load) {
    const server = await startServer('freshgate', { env, node });
    await underLoad('profiled', server, load).round(SECONDS);
    await server.stop();
  } else {
    const server = await startProduct({ env, node });
    await server.stop();
  }
  const [file = ''] = readdirSync(path).filter((name) => name.endsWith('.cpuprofile'));
  return shares(JSON.parse(readFileSync(join(path, file), 'utf8')), load ? 0.5 : 0).slice(0, ROWS);
}

/**
 * @param {import('node:inspector').Profiler.Profile} recorded
 * @param {number} skip the share of it that comes before, the start above all
 */
function shares({ nodes, samples = [], timeDeltas = [] }, skip) {
  const owners = new Map(nodes.map(({ id, callFrame }) => [id, ownerOf(callFrame)]));
  const from = Math.floor(samples.length * skip);
  /** @type {Map<string, number>} */
  const times = new Map();
  let total = 0;
  for (let i = from; i < samples.length; i++) {
    const owner = owners.get(samples[i] ?? 0);
    if (owner === undefined) continue;
    const time = timeDeltas[i] ?? 0;
    total += time;
    times.set(owner, (times.get(owner) ?? 0) + time);
  }
  return [...times]
    .map(([name, time]) => /** @type {[string, number]} */ ([name, time / total]))
    .toSorted(([, a], [, b]) => b - a);
}

/** @param {import('node:inspector').Runtime.CallFrame} frame @returns {string | undefined} */
function ownerOf({ functionName, url }) {
  if (functionName === '(idle)') return undefined;
  if (url === '') return functionName.startsWith('(') ? functionName : 'native code';
  const [, dependency] = /node_modules\/((?:@[^/]+\/)?[^/]+)(?!.*node_modules)/.exec(url) ?? [];
  if (dependency !== undefined) return dependency;
  const [, own] = /\/dist\/(.+)\.js$/.exec(url) ?? [];
  return own === undefined ? url.split('/').slice(0, 2).join('/') : `freshgate: ${own.split('/')[0]}`;
}
