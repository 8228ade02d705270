import { afterAll } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Where `global-setup.mjs` leaves the built `main.js`, or why there is none. */
const SERVER_MAIN = 'FRESHGATE_TEST_SERVER_MAIN';
export const SERVER_MISSING = 'FRESHGATE_TEST_SERVER_MISSING';

/** Far above what any request takes: a server that does not answer fails its test, and not the whole run. */
const ANSWER_TIMEOUT = 15_000;
/** With the character after the address, so that half an address is not taken for a whole one. */
const LISTENING = /listening on (http:\/\/[\w.:[\]]+)[^\w.:[\]]/;

/** Without these a start takes a fifth less. Tests of them, and of what a start without settings does, use `DEFAULTS`. */
const WITHOUT_PAGES = { OPENAPI: 'off', PAGES: 'off' };
/** Pages and the API documentation as the server's defaults have them. */
export const DEFAULTS = { OPENAPI: undefined, PAGES: undefined };

export interface LaunchOptions {
  /** The environment, over a free port and no pages. Nothing is inherited but what node itself needs. */
  env?: Record<string, string | undefined>;
  /** The working directory, for starts that follow each other; without it, a new and empty one. */
  folder?: string;
  /** Words before the command, that keep it to a core say. They must become the process themselves. */
  prefix?: string[];
  /** Another `main.js` than the one that was built from these sources. */
  main?: string;
}

export interface Exit {
  /** Null when a signal ended the process. */
  code: number | null;
  signal: NodeJS.Signals | null;
}

export interface Answer<T = unknown> {
  status: number;
  body: T;
}

export interface RequestOptions {
  token?: string;
  body?: object;
  idempotencyKey?: string;
  headers?: Record<string, string>;
}

const running = new Set<ServerProcess>();
const folders: string[] = [];

// Ends every process that the tests of the file have started, even if they failed.
afterAll(async () => {
  await Promise.all([...running].map((server) => server.kill9()));
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** An empty folder, gone after the tests of the file. */
export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-start-'));
  folders.push(folder);
  return folder;
}

/** Starts the production output, `node dist/main.js`, and waits until it listens. */
export async function start(options: LaunchOptions = {}): Promise<ServerProcess> {
  const server = launch(options);
  await server.listening;
  return server;
}

/** The path of a built file: `builtFile('main.js')`. */
export function builtFile(name: string): string {
  const main = process.env[SERVER_MAIN];
  const missing = process.env[SERVER_MISSING];
  if (main === undefined || missing !== undefined) throw new Error(`the server was not built: ${missing}`);
  return join(dirname(main), name);
}

/** Starts the process without waiting, for starts that must fail. */
export function launch({
  env = {},
  folder = makeFolder(),
  prefix = [],
  main = builtFile('main.js'),
}: LaunchOptions = {}): ServerProcess {
  const { PATH = '', HOME = '' } = process.env;
  const [command, ...args] = [...prefix, process.execPath, main];
  const child = spawn(command, args, {
    cwd: folder,
    env: { PATH, HOME, PORT: '0', NO_COLOR: '1', ...WITHOUT_PAGES, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return new ServerProcess(child, folder);
}

/** A server as its operator and its clients see it: environment, output, signals, exit code, and HTTP. */
export class ServerProcess {
  /** All that it has written so far, to both streams. */
  output = '';
  /** The part of it that went to stderr. */
  errors = '';
  /** Known once it listens. */
  url = '';
  readonly exit: Promise<Exit>;
  readonly listening: Promise<void>;

  constructor(
    private readonly child: ChildProcess,
    readonly folder: string,
  ) {
    running.add(this);
    // `close` and not `exit`: all output has been read then.
    this.exit = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        running.delete(this);
        resolve({ code, signal });
      });
    });
    this.listening = new Promise((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          this.output += text;
          if (stream === child.stderr) this.errors += text;
          this.url ||= LISTENING.exec(this.output)?.[1] ?? '';
          if (this.url) resolve();
        });
      }
      void this.exit.then(({ code, signal }) =>
        reject(new Error(`the server ended (${code ?? signal}) before it listened:\n${this.output}`)),
      );
    });
    // A test that waits only for the exit must not fail because of it.
    this.listening.catch(() => {});
  }

  get pid(): number {
    return this.child.pid ?? Number.NaN;
  }

  /** Asks it to end, as a service manager does. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    this.child.kill(signal);
    return this.exit;
  }

  /** `kill -9`: it has no chance to put anything in order. */
  async kill9(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.exit;
  }

  async request<T = unknown>(
    method: string,
    path: string,
    { token, body, idempotencyKey, headers = {} }: RequestOptions = {},
  ): Promise<Answer<T>> {
    const response = await fetch(this.url + path, {
      method,
      headers: {
        ...headers,
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(idempotencyKey === undefined ? {} : { 'Idempotency-Key': idempotencyKey }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
    });
    const text = await response.text();
    return { status: response.status, body: (text === '' ? undefined : JSON.parse(text)) as T };
  }
}
