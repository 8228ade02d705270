import { randomUUID } from 'node:crypto';
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { naming, readKeyFile, replaceKeyFile } from './key-file.js';
import { KeyRing, KeyRingError, type PrivateJwkSet } from './key-ring.js';

/** A command holds the lock for a fraction of a second. */
const MAX_WAIT_MS = 10_000;
const PAUSE_MS = 50;

/**
 * Reads the file, changes it and writes it back, alone in doing so: of two commands at once the second one sees
 * what the first one wrote. What could not be loaded by a server is not written.
 * @throws KeyRingError, and leaves the file as it was
 */
export function changeKeyFile<T>(
  path: string,
  now: number,
  change: (set: PrivateJwkSet) => { set: PrivateJwkSet; result: T },
): T {
  // Said before the lock is taken, in the words for a missing or broken file.
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
    // Another command may have removed it as stale and hold it now.
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
      if (code !== 'EEXIST') throw new KeyRingError(`${lock} cannot be made: ${message}`);
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
