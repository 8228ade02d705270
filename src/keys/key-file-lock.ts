import { randomUUID } from 'node:crypto';
import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { naming, readKeyFile, replaceKeyFile } from './key-file.js';
import { KeyRing, KeyRingError, type PrivateJwkSet } from './key-ring.js';

/** Milliseconds: a command holds the lock for a fraction of one second. */
const PATIENCE = 10_000;
const PAUSE = 50;

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
    // Somebody who held it for stale may have removed it, and another one holds it now.
    if (readHolder(lock) === holder) rmSync(lock, { force: true });
  }
}

function take(lock: string, holder: string): void {
  const deadline = performance.now() + PATIENCE;
  for (;;) {
    try {
      writeFileSync(lock, holder, { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST') throw new KeyRingError(`${lock} cannot be made: ${message}`);
      if (performance.now() > deadline) {
        throw new KeyRingError(
          `another command changes the keys: ${lock} is held (${readHolder(lock) || 'by nobody known'}). ` +
            'If that one has ended without removing it, remove it yourself',
        );
      }
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE);
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
