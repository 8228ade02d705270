import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { transformFileSync } from '@swc/core';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { refusal } from '../../test/support/key-ring-refusal.js';
import { Worker } from 'node:worker_threads';
import { generateKeySet, openKeyFile } from './key-file.js';
import { KeyRing, type PrivateJwkSet } from './key-ring.js';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'freshgate-keys-'));
  path = join(folder, 'keys.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const kids = (set: PrivateJwkSet) => set.keys.map(({ kid }) => kid);
const open = (create = true) => openKeyFile(path, { create });

describe('openKeyFile, where there is no file', () => {
  it('makes one that only its owner may read', () => {
    open();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('makes one that is read back as the same keys', () => {
    const made = open();
    expect(kids(open())).toEqual(kids(made));
    expect(kids(open(false))).toEqual(kids(made));
  });

  it('makes the folders above it', () => {
    path = join(folder, 'a/b/keys.json');
    open();
    expect(readdirSync(dirname(path))).toEqual(['keys.json']);
  });

  it('leaves nothing else beside it', () => {
    open();
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  it('makes none where that is not allowed', () => {
    expect(refusal(() => open(false))).toBe(
      `${path} does not exist, and in production it is not created; create it with \`npm run keys -- generate\``,
    );
    expect(readdirSync(folder)).toEqual([]);
  });

  it('refuses a place where none can be made, and names it', () => {
    symlinkSync(join(folder, 'gone/keys.json'), path);
    expect(refusal(() => open())).toContain(`${path} cannot be created: `);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });
});

describe('openKeyFile, where there is a file', () => {
  const text = JSON.stringify(generateKeySet());

  it.each([
    ['empty', ''],
    ['not JSON', 'keys:\n  - kid: 1'],
    ['truncated', text.slice(0, -20)],
    ['two documents', text + text],
  ])('refuses one that is %s, names it and leaves it alone', (_, content) => {
    writeFileSync(path, content);
    expect(refusal(() => open())).toBe(
      `${path} is not JSON; restore it from a backup (a new file logs all users out)`,
    );
    expect(readFileSync(path, 'utf8')).toBe(content);
    expect(readdirSync(folder)).toEqual(['keys.json']);
  });

  it('refuses one that is JSON but no key set, names it and leaves it alone', () => {
    writeFileSync(path, '{}');
    expect(refusal(() => open())).toMatch(/keys\.json: expected a JWK Set/);
    expect(readFileSync(path, 'utf8')).toBe('{}');
  });

  it('names the file and the key of what is wrong with one key', () => {
    const [access, refresh] = generateKeySet().keys;
    writeFileSync(path, JSON.stringify({ keys: [access, { ...refresh, k: 'short' }] }));
    expect(refusal(() => open())).toBe(
      `${path}: key "${refresh?.kid}": for "alg" HS256, "kty" must be "oct" and "k" at least 32 bytes`,
    );
  });

  it('refuses a folder in its place', () => {
    mkdirSync(path);
    expect(refusal(() => open())).toContain(`${path} cannot be read: `);
  });
});

describe('generateKeySet', () => {
  it('makes a set that a key ring takes', () => {
    expect(() => new KeyRing(generateKeySet(), 0)).not.toThrow();
  });

  it('makes other keys every time', () => {
    const [a, b] = [generateKeySet(), generateKeySet()].map(({ keys }) => [
      keys.map(({ kid }) => kid),
      keys[0]?.d,
      keys[1]?.k,
    ]);
    expect(a?.filter((value, i) => JSON.stringify(value) === JSON.stringify(b?.[i]))).toEqual([]);
  });
});

describe('openKeyFile, by 8 instances that start at once', () => {
  const INSTANCES = 8;
  const ROUNDS = 20;

  /** Threads of their own, held at a barrier before every round so that they meet at the file. */
  const INSTANCE = `
    import { parentPort, workerData } from 'node:worker_threads';
    import { openKeyFile } from './key-file.js';
    const { folder, rounds, instances, memory } = workerData;
    const arrived = new Int32Array(memory);
    const seen = [];
    for (let round = 0; round < rounds; round++) {
      if (Atomics.add(arrived, round, 1) === instances - 1) Atomics.notify(arrived, round);
      for (let n; (n = Atomics.load(arrived, round)) < instances; ) Atomics.wait(arrived, round, n, 50);
      const { keys } = openKeyFile(folder + '/keys-' + round + '.json', { create: true });
      seen.push(keys.map(({ kid }) => kid));
    }
    parentPort.postMessage(seen);`;

  it('gives all of them the keys of one, and leaves no drafts', async () => {
    const code = mkdtempSync(join(tmpdir(), 'freshgate-instances-'));
    const instances: Worker[] = [];
    try {
      writeFileSync(join(code, 'package.json'), '{"type":"module"}');
      writeFileSync(join(code, 'instance.js'), INSTANCE);
      for (const name of ['key-file', 'key-ring', 'key-material']) {
        const source = fileURLToPath(new URL(`./${name}.ts`, import.meta.url));
        const { code: script } = transformFileSync(source, {
          jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
          module: { type: 'es6' },
        });
        writeFileSync(join(code, `${name}.js`), script);
      }
      const memory = new SharedArrayBuffer(4 * ROUNDS);
      const workerData = { folder, rounds: ROUNDS, instances: INSTANCES, memory };
      for (let i = 0; i < INSTANCES; i++) {
        instances.push(new Worker(join(code, 'instance.js'), { workerData }));
      }
      const answers = await Promise.all(
        instances.map(async (instance) => ((await once(instance, 'message')) as unknown[])[0]),
      );
      const written = Array.from({ length: ROUNDS }, (_, round) => {
        const text = readFileSync(join(folder, `keys-${round}.json`), 'utf8');
        return (JSON.parse(text) as PrivateJwkSet).keys.map(({ kid }) => kid);
      });
      expect(answers).toEqual(Array(INSTANCES).fill(written));
      expect(readdirSync(folder)).toHaveLength(ROUNDS);
    } finally {
      // One that failed would leave the others waiting for it.
      await Promise.all(instances.map((instance) => instance.terminate()));
      rmSync(code, { recursive: true, force: true });
    }
  });
});
