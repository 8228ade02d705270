import { describe } from '@jest/globals';
import { MessagePattern, Transport } from '@nestjs/microservices';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { freePort } from './free-port.mjs';
import { proxyOf, type TransportUnderTest, withTokens } from './message-doors.js';

/** Where `global-setup.mjs` says why there is no Redis. */
const REDIS_MISSING = 'FRESHGATE_TEST_REDIS_MISSING';

/** Declares tests that need a Redis. */
export const describeRedis = process.env[REDIS_MISSING] === undefined ? describe : describe.skip;

/** A Redis in memory. */
export class Redis {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
  ) {}

  static async start(): Promise<Redis> {
    const port = await freePort();
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const child = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let output = '';
    await new Promise<void>((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        output += text;
        if (output.includes('Ready to accept connections')) resolve();
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`Redis ended: ${output}`)));
    });
    return new Redis(child, port);
  }

  transport(): TransportUnderTest {
    const options = { host: '127.0.0.1', port: this.port };
    return {
      options: { transport: Transport.REDIS, options },
      handles: (door) => MessagePattern(door),
      connect: async () => proxyOf({ transport: Transport.REDIS, options: { ...options, ...withTokens() } }),
    };
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill();
    await ended;
  }
}
