/** Starts servers and clients, each in its own process on its own cores. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The cores of processes, in the format of `taskset -c`; undefined if nothing can be pinned. */
export const CORES = coresOf();

/** Whether a process can get priority: on Linux, for root. */
export const CAN_BE_FIRST = spawnSync('chrt', ['-f', '1', 'true']).status === 0;

const PROBE = fileURLToPath(new URL('probe.mjs', import.meta.url));
/** The flags of `npm start`. Every server gets them, for a fair comparison. */
const FLAGS = /** @type {{ scripts: { start: string } }} */ (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
).scripts.start
  .split(' ')
  .filter((word) => word.startsWith('--'));
/** Milliseconds. Creating a million rows takes longest. */
const PATIENCE = 120_000;

/** @type {Set<Process>} */
const running = new Set();
/** @type {string[]} */
const folders = [];

/**
 * @typedef {object} Cost
 * @property {number} cpu microseconds of all its threads, since it began
 * @property {number} rss bytes
 * @property {number} heapUsed bytes
 */

/**
 * @typedef {object} StartOptions
 * @property {string} [core]
 * @property {boolean} [first] before all others, where that is allowed
 * @property {Record<string, string>} [env] nothing is inherited but PATH and HOME
 * @property {string[]} [node] options of node's own
 * @property {string[]} [arguments]
 * @property {string} [cwd]
 * @property {number | 'pipe'} [output] the file in which its lines end up; without it, nowhere
 */

/** A process that answers questions over IPC, in the order in which they are asked. */
export class Process {
  /** Messages that were not read yet. @type {unknown[]} */
  #said = [];
  /** Who listens, the first one first. @type {((message: unknown) => void)[]} */
  #listening = [];

  /** @param {string} file @param {StartOptions} [options] */
  constructor(file, options = {}) {
    const {
      core,
      first = false,
      env = {},
      node = [],
      arguments: rest = [],
      cwd,
      output = 'ignore',
    } = options;
    const { PATH = '', HOME = '' } = process.env;
    const [program = '', ...args] = [
      ...(first && CAN_BE_FIRST ? ['chrt', '-f', '1'] : []),
      ...(core === undefined ? [] : ['taskset', '-c', core]),
      process.execPath,
      '--no-warnings',
      '--import',
      PROBE,
      // On one core, a thread with priority that waits for another thread of its process would wait for ever.
      ...(first ? ['--single-threaded'] : []),
      ...node,
      file,
      ...rest,
    ];
    /** Milliseconds, by `performance.now()`. */
    this.began = performance.now();
    this.child = spawn(program, args, {
      cwd: cwd ?? folder(),
      env: { PATH, HOME, NODE_ENV: 'production', ...env },
      stdio: ['ignore', output, 'pipe', 'ipc'],
    });
    this.errors = '';
    this.child.stderr?.setEncoding('utf8').on('data', (text) => (this.errors += text));
    this.child.on('message', (message) => {
      const listener = this.#listening.shift();
      if (listener) listener(message);
      else this.#said.push(message);
    });
    // The process has ended; its exit is reported instead.
    this.child.on('error', (error) => (this.errors += error.message));
    running.add(this);
    /** @type {Promise<void>} */
    this.ended = new Promise((resolve) => {
      this.child.once('close', () => {
        running.delete(this);
        resolve();
      });
    });
    this.url = '';
  }

  /** The next message from it. @returns {Promise<any>} */
  async hear() {
    if (this.#said.length > 0) return this.#said.shift();
    return this.orFail(new Promise((resolve) => this.#listening.push(resolve)));
  }

  /** Waits for a promise; fails if the process ends or the time is over. @template T @param {Promise<T>} awaited @returns {Promise<T>} */
  async orFail(awaited) {
    /** @type {NodeJS.Timeout | undefined} */
    let timer;
    const silence = new Promise((resolve) => (timer = setTimeout(resolve, PATIENCE, 'does not answer')));
    const failure = Promise.race([silence, this.ended.then(() => 'ended')]).then((what) => {
      throw new Error(`${this.child.spawnargs.join(' ')} ${what}:\n${this.errors}`);
    });
    try {
      return await Promise.race([awaited, failure]);
    } finally {
      clearTimeout(timer);
      failure.catch(() => {});
    }
  }

  /** @param {import('node:child_process').Serializable} question @returns {Promise<any>} */
  async ask(question) {
    const answer = this.hear();
    this.child.send(question);
    return answer;
  }

  /** @returns {Promise<Cost>} */
  async cost() {
    return this.ask('cost');
  }

  async stop() {
    this.child.kill('SIGTERM');
    const impatience = setTimeout(() => this.child.kill('SIGKILL'), 10_000);
    await this.ended;
    clearTimeout(impatience);
  }
}

/** Starts a server, and waits until it listens. @param {string} name of the peer @param {StartOptions} [options] */
export async function startServer(name, options = {}) {
  const file = fileURLToPath(new URL(`../peers/${name}.mjs`, import.meta.url));
  const node = [...FLAGS, ...(options.node ?? [])];
  const server = new Process(file, { core: CORES?.servers, ...options, node });
  ({ url: server.url } = await server.hear());
  return server;
}

/** Starts the production build; reads its address from its log. @param {StartOptions} options */
export async function startProduct(options) {
  const file = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const node = [...FLAGS, ...(options.node ?? [])];
  const server = new Process(file, { core: CORES?.servers, ...options, node, output: 'pipe' });
  const lines = server.child.stdout?.setEncoding('utf8');
  await server.orFail(
    new Promise((resolve) => {
      let all = '';
      lines?.on('data', (text) => {
        all += text;
        server.url ||= /listening on (http:\/\/[\w.:[\]]+)[^\w.:[\]]/.exec(all)?.[1] ?? '';
        if (server.url !== '') resolve(undefined);
      });
    }),
  );
  return server;
}

/** @param {string} name of a file beside this one @param {StartOptions} [options] */
export function startHelper(name, options = {}) {
  const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  return new Process(file, { core: CORES?.load, ...options });
}

/** Creates an empty folder, which is removed when the benchmark ends. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), 'freshgate-bench-'));
  folders.push(path);
  return path;
}

/** Ends all processes, however the benchmark ends. */
export async function endAll() {
  await Promise.all([...running].map((process) => process.stop()));
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
}

/** The last resort: the process is ending and cannot wait. */
process.on('exit', () => {
  for (const { child } of running) child.kill('SIGKILL');
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

/** Servers on the first core, load on the others, but not on a second thread of the first. */
function coresOf() {
  const cores = availableParallelism();
  if (cores < 2 || spawnSync('taskset', ['-c', '0', 'true']).status !== 0) return undefined;
  const all = Array.from({ length: cores }, (_, core) => core);
  const others = all.filter((core) => !siblings().includes(core));
  return { servers: '0', load: (others.length > 0 ? others : all.slice(1)).join(',') };
}

function siblings() {
  try {
    const list = readFileSync('/sys/devices/system/cpu/cpu0/topology/thread_siblings_list', 'utf8');
    return list.split(',').flatMap((range) => {
      const [first = 0, last = first] = range.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, i) => first + i);
    });
  } catch {
    return [0];
  }
}
