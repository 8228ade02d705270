import { describe } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { until } from './until.js';

/** Where `global-setup.mjs` says why there is no HAProxy. */
const HAPROXY_MISSING = 'FRESHGATE_TEST_HAPROXY_MISSING';

/** Declares tests that need an HAProxy before servers on a PostgreSQL. */
export const describeHaproxy = process.env[HAPROXY_MISSING] === undefined ? describe : describe.skip;

/** A load balancer. */
export class Haproxy {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** @param config without the section `global` */
  static async start(config: string): Promise<Haproxy> {
    const folder = mkdtempSync(join(tmpdir(), 'freshgate-haproxy-'));
    const file = join(folder, 'haproxy.cfg');
    writeFileSync(file, `global\n  stats socket ${socketIn(folder)} level user\n\n${config}`);
    const env = { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` };
    const child = spawn('haproxy', ['-db', '-f', file], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let output = '';
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
    const proxy = new Haproxy(child, folder);
    const ended = once(child, 'exit').then(() => {
      throw new Error(`HAProxy ended: ${output}`);
    });
    await Promise.race([ended, until(5_000, () => proxy.answers())]);
    ended.catch(() => {});
    return proxy;
  }

  /** The servers that it sends requests to. */
  async serversUp(): Promise<string[]> {
    const [head = '', ...lines] = (await this.ask('show stat')).replace(/^# /, '').trim().split('\n');
    const names = head.split(',');
    const rows = lines.map((line) => line.split(','));
    const [name, status] = [names.indexOf('svname'), names.indexOf('status')];
    // "UP 1/2" is up, but has failed a check; a frontend is "OPEN".
    return rows
      .filter((row) => row[name] !== 'BACKEND' && row[status]?.startsWith('UP'))
      .map((row) => row[name] ?? '');
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGTERM');
    await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async ask(command: string): Promise<string> {
    const socket = connect(socketIn(this.folder));
    socket.end(`${command}\n`);
    return text(socket);
  }

  private answers(): Promise<boolean> {
    return this.ask('show info').then(
      () => true,
      () => false,
    );
  }
}

const socketIn = (folder: string) => join(folder, 'admin.sock');
