import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { performance } from 'node:perf_hooks';
import { HashingQueue } from './hashing-queue.js';
import { HashParameters, PasswordHasher } from './password-hasher.js';

const hasher = new PasswordHasher(new HashingQueue(), new HashParameters());
const PASSWORD = 'space-corgi';
let hash: string;
beforeAll(async () => {
  hash = await hasher.hash(PASSWORD);
});
afterAll(() => hasher.onApplicationShutdown());

const matches = async (chosen: string, typed: string) => hasher.verify(await hasher.hash(chosen), typed);

async function millisecondsOf(passwordHash: string | undefined): Promise<number> {
  const begun = performance.now();
  await hasher.verify(passwordHash, 'wrong-password');
  return performance.now() - begun;
}

describe('hash', () => {
  it('writes a PHC string: argon2id, 19 MiB, two passes, one lane, 16 bytes of salt, 32 of hash', () => {
    expect(hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  });

  it('salts: the same password never has the same hash', async () => {
    expect(await hasher.hash(PASSWORD)).not.toBe(hash);
  });
});

describe('verify', () => {
  it('takes the password', async () => {
    expect(await hasher.verify(hash, PASSWORD)).toBe(true);
  });

  it.each([
    ['in capitals', PASSWORD.toUpperCase()],
    ['with a space before', ` ${PASSWORD}`],
    ['with a space behind', `${PASSWORD} `],
    ['with a NUL behind', `${PASSWORD}\0`],
    ['without its end', PASSWORD.slice(0, -1)],
    ['doubled', PASSWORD + PASSWORD],
    ['empty', ''],
  ])('refuses the password %s', async (_, typed) => {
    expect(await hasher.verify(hash, typed)).toBe(false);
  });

  it('takes a password however its letters are composed', async () => {
    const chosen = 'Übergrößenträger-Å-한국어';
    expect(chosen.normalize('NFD')).not.toBe(chosen.normalize('NFC'));
    expect(await matches(chosen.normalize('NFC'), chosen.normalize('NFD'))).toBe(true);
    expect(await matches(chosen.normalize('NFD'), chosen.normalize('NFC'))).toBe(true);
  });

  it.each([
    ['a ligature and its letters', 'ﬁnal-corgi', 'final-corgi'],
    ['a superscript and its digit', 'space-corgi²', 'space-corgi2'],
    ['a letter and the same letter with an accent', 'spáce-corgi', 'space-corgi'],
    ['full width and ASCII', 'ｓpace-corgi', 'space-corgi'],
  ])('keeps apart %s', async (_, chosen, typed) => {
    expect(await matches(chosen, typed)).toBe(false);
  });

  it.each([
    ['after 72 bytes', 'x'.repeat(72), 'x'.repeat(72)],
    ['after 255 characters', 'x'.repeat(255), 'x'.repeat(255)],
    ['after a NUL', 'space\0', 'space\0'],
    ['before a NUL', '\0', '\0'],
    ['after a line feed', 'space\n', 'space\n'],
    ['beyond the basic plane', '🐕', '🐕'],
  ])('cuts nothing off %s', async (_, beginning, same) => {
    expect(await matches(`${beginning}1`, `${same}2`)).toBe(false);
    expect(await matches(`${beginning}1`, `${same}1`)).toBe(true);
  });

  it.each([
    ['a usual one', PASSWORD],
    ['an empty one', ''],
    ['a NUL', '\0'],
    ['half a character', '\ud800'],
    ['a long one', 'x'.repeat(10_000)],
    ['a hash', '$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAA'],
  ])('without a hash, refuses every password: %s', async (_, typed) => {
    expect(await hasher.verify(undefined, typed)).toBe(false);
  });

  it('without a hash, does the work of a real one', async () => {
    const times = { without: Infinity, with: Infinity };
    // In turns, and the best of each, so that a busy machine does not decide.
    for (let i = 0; i < 5; i++) {
      times.without = Math.min(times.without, await millisecondsOf(undefined));
      times.with = Math.min(times.with, await millisecondsOf(hash));
    }
    expect(times.without / times.with).toBeGreaterThan(1 / 3);
    expect(times.without / times.with).toBeLessThan(3);
  });

  it('verifies with the parameters that the hash names, so that older ones stay good', async () => {
    const older =
      '$argon2id$v=19$m=4096,t=3,p=1$mmqZa8kgZRl0x8irHc4qgg$Xe4aTNaBZxXuh7TJfvBMLX+FJ/lLexOeuvMxHpMQ32c';
    expect(await hasher.verify(older, PASSWORD)).toBe(true);
    expect(await hasher.verify(older, 'wrong-password')).toBe(false);
  });
});

/** The priorities of the process's threads: on Linux, each has its own. */
const priorities = () => readdirSync('/proc/self/task').map((id) => getPriority(Number(id)));

describe('the threads', () => {
  it('report what the library throws, and go on', async () => {
    await expect(hasher.hash(undefined as never)).rejects.toThrow();
    expect(await hasher.verify(hash, PASSWORD)).toBe(true);
  });

  it('end at the shutdown, with the job that one of them has', async () => {
    const own = new PasswordHasher(new HashingQueue(), new HashParameters());
    await own.verify(hash, PASSWORD);
    const ended = expect(own.verify(hash, PASSWORD)).rejects.toThrow();
    await own.onApplicationShutdown();
    await ended;
  });

  const linux = process.platform === 'linux' ? it : it.skip;
  linux('have the least priority of the process, and are kept between jobs', async () => {
    const own = new PasswordHasher(new HashingQueue(1), new HashParameters());
    const before = priorities().filter((priority) => priority === 19).length;
    const mainThread = getPriority(process.pid);
    for (let i = 0; i < 3; i++) await own.verify(hash, PASSWORD);
    expect(priorities().filter((priority) => priority === 19)).toHaveLength(before + 1);
    expect(getPriority(process.pid)).toBe(mainThread);
    await own.onApplicationShutdown();
    expect(priorities().filter((priority) => priority === 19)).toHaveLength(before);
  });
});
