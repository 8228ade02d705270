import { randomUUID } from 'node:crypto';
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { naming, readKeyFile, replaceKeyFile } from './key-file.js';
import { KeyRing, KeyRingError, type PrivateJwkSet } from './key-ring.js';

/** A command holds the lock for a fraction of a second. */
const MAX_WAIT_MS = 10_000;
const PAUSE_MS = 50;

/**
 * Reads, changes and writes the file under a lock: of two commands at once, the second sees the first one's change. A key
 * set that a server could not load is not written.
 * @throws KeyRingError, and leaves the file as it was
 */
export function changeKeyFile<T>(
  path: string,
  now: number,
  change: (set: PrivateJwkSet) => { set: PrivateJwkSet; result: T },
): T {
  // Before the lock, so that a missing or broken file gets its own message.
  readKeyFile(path);
  return withLock(`${realpathSync(path)}.lock`, () => {
    const { set, result } = change(readKeyFile(path));
    naming(path, () => new KeyRing(set, now));
    replaceKeyFile(path, set);
    return result;
  });
}

function withLock<T>(lock: string, run: () => T): T {
  const holder = `process ${process.pid} on ${hostname()}, ${new Date().toISOString()}, ${randomUUID()}`;
  take(lock, holder);
  try {
    return run();
  } finally {
    // Another command may have removed this lock as stale and hold it now.
    if (readHolder(lock) === holder) rmSync(lock, { force: true });
  }
}

function take(lock: string, holder: string): void {
  const deadline = performance.now() + MAX_WAIT_MS;
  for (;;) {
    try {
      writeFileSync(lock, holder, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST') throw new KeyRingError(`${lock} cannot be created: ${message}`);
      if (performance.now() > deadline) {
        throw new KeyRingError(
          `another command is changing the keys: ${lock} is held (${readHolder(lock) || 'holder unknown'}). ` +
            'If that command no longer runs, remove the file',
        );
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
    }
  }
}

function readHolder(lock: string): string {
  try {
    return readFileSync(lock, 'utf8');
  } catch {
    return '';
  }
}
