import { type Options } from '@node-rs/argon2';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';

/** A password to be compared with a hash; without one, to be hashed. */
interface Job {
  password: string;
  hash?: string;
}
type Answer<T> = { result: T } | { error: Error };

/**
 * The least urgent, of which a Linux thread still gets what others leave: on a machine whose cores are all busy, a
 * request that takes a millisecond would else wait for slices of hashes that take twenty.
 */
const NICENESS = 19;

/** A text, because it must run as it stands: built, and from the sources in tests. */
const THREAD = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { hashSync, verifySync } = require(workerData.argon2);
  // On Linux alone it is this thread's own priority; elsewhere it would be that of the process.
  if (process.platform === 'linux') require('node:os').setPriority(workerData.niceness);
  parentPort.on('message', ({ password, hash }) => {
    try {
      const result = hash === undefined ? hashSync(password, workerData.parameters) : verifySync(hash, password);
      parentPort.postMessage({ result });
    } catch (error) {
      parentPort.postMessage({ error });
    }
  });`;

/**
 * Threads that do nothing but hash. Not libuv's: those have the priority of the event loop, and serve files and name
 * look-ups too. Made when they are needed, and kept; who uses them bounds how many there are.
 */
export class HashingThreads {
  private readonly all = new Set<Worker>();
  private readonly idle: Worker[] = [];

  constructor(private readonly parameters: Options) {}

  async hash(password: string): Promise<string> {
    return this.run<string>({ password });
  }

  /** @throws Error for a hash that is none */
  async verify(hash: string, password: string): Promise<boolean> {
    return this.run<boolean>({ password, hash });
  }

  async close(): Promise<void> {
    await Promise.all([...this.all].map((thread) => thread.terminate()));
  }

  private async run<T>(job: Job): Promise<T> {
    const thread = this.idle.pop() ?? this.make();
    // A command that waits for a hash must not end before it has it; a thread without work keeps no process alive.
    thread.ref();
    const answer = await answerOf<T>(thread, job);
    thread.unref();
    this.idle.push(thread);
    if ('error' in answer) throw answer.error;
    return answer.result;
  }

  private make(): Worker {
    const argon2 = createRequire(import.meta.url).resolve('@node-rs/argon2');
    const workerData = { argon2, parameters: this.parameters, niceness: NICENESS };
    const thread = new Worker(THREAD, { eval: true, workerData, name: 'hashing' });
    this.all.add(thread);
    thread.once('exit', () => {
      this.all.delete(thread);
      const place = this.idle.indexOf(thread);
      if (place >= 0) this.idle.splice(place, 1);
    });
    return thread;
  }
}

/** @throws Error when the thread ends without an answer */
function answerOf<T>(thread: Worker, job: Job): Promise<Answer<T>> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      thread.off('message', onMessage).off('error', onError).off('exit', onExit);
      act();
    };
    const onMessage = (answer: Answer<T>) => settle(() => resolve(answer));
    const onError = (error: Error) => settle(() => reject(error));
    const onExit = () => settle(() => reject(new Error('the thread ended while it hashed')));
    thread.on('message', onMessage).on('error', onError).on('exit', onExit);
    // eslint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
    thread.postMessage(job);
  });
}
