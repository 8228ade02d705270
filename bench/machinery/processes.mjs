/** Starts what is measured, and what measures, each in a process of its own on cores of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where processes may run: as `taskset -c` takes it, or undefined where nothing can be pinned. */
export const CORES = coresOf();

const PROBE = fileURLToPath(new URL('probe.mjs', import.meta.url));
/** Milliseconds; a million rows take a while to be made, nothing takes longer. */
const PATIENCE = 300_000;

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
 * @property {Record<string, string>} [env] nothing is inherited but PATH and HOME
 * @property {string[]} [node] options of node's own
 * @property {string[]} [arguments]
 * @property {string} [cwd]
 * @property {number | 'pipe'} [output] the file in which its lines end up; without it, nowhere
 */

/** A process that answers questions over IPC, one at a time. */
export class Process {
  /** @param {string} file @param {StartOptions} [options] */
  constructor(file, options = {}) {
    const { core, env = {}, node = [], arguments: rest = [], cwd, output = 'ignore' } = options;
    const { PATH = '', HOME = '' } = process.env;
    const command = [process.execPath, '--no-warnings', '--import', PROBE, ...node, file, ...rest];
    const [program = '', ...args] = core === undefined ? command : ['taskset', '-c', core, ...command];
    /** Milliseconds, as `performance.now()` tells them. */
    this.began = performance.now();
    this.child = spawn(program, args, {
      cwd: cwd ?? folder(),
      env: { PATH, HOME, NODE_ENV: 'production', ...env },
      stdio: ['ignore', output, 'pipe', 'ipc'],
    });
    this.errors = '';
    this.child.stderr?.setEncoding('utf8').on('data', (text) => (this.errors += text));
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
    return new Promise((resolve, reject) => {
      const give = (/** @type {unknown} */ message) => {
        clearTimeout(timer);
        this.child.off('close', end);
        resolve(message);
      };
      const end = () => reject(new Error(`${this.child.spawnargs.join(' ')} ended:\n${this.errors}`));
      const timer = setTimeout(() => {
        this.child.off('message', give);
        this.child.off('close', end);
        reject(new Error(`${this.child.spawnargs.join(' ')} does not answer:\n${this.errors}`));
      }, PATIENCE);
      this.child.once('message', give);
      this.child.once('close', end);
    });
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
  const server = new Process(file, { core: CORES?.servers, ...options });
  ({ url: server.url } = await server.hear());
  return server;
}

/** Starts the production output as it is shipped; where it listens, its log says. @param {StartOptions} options */
export async function startProduct(options) {
  const file = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
  const server = new Process(file, { core: CORES?.servers, ...options, output: 'pipe' });
  let lines = '';
  await new Promise((resolve, reject) => {
    server.child.stdout?.setEncoding('utf8').on('data', (text) => {
      lines += text;
      server.url ||= /listening on (http:\/\/[\w.:[\]]+)[^\w.:[\]]/.exec(lines)?.[1] ?? '';
      if (server.url !== '') resolve(undefined);
    });
    server.child.once('close', () => reject(new Error(`the server ended:\n${lines}${server.errors}`)));
  });
  return server;
}

/** @param {string} name of a file beside this one */
export function startHelper(name) {
  return new Process(fileURLToPath(new URL(`${name}.mjs`, import.meta.url)), { core: CORES?.load });
}

/** An empty folder, gone when the benchmark ends. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), 'freshgate-bench-'));
  folders.push(path);
  return path;
}

/** Ends whatever was started, however the benchmark came to its end. */
export async function endAll() {
  await Promise.all([...running].map((process) => process.stop()));
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
}

/** The last resort: the process ends, and cannot wait. */
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
