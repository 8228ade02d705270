import { beforeEach, describe, expect, it } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { generateKey, generateKeySet } from '../../../src/keys/key-file.js';
import { type PrivateJwk } from '../../../src/keys/key-ring.js';
import { makeFolder } from '../../support/server-process.js';
import { type Ended, keys, keysHere } from './command.js';

let folder: string;
let file: string;
beforeEach(() => {
  folder = makeFolder();
  mkdirSync(join(folder, 'data'));
  file = join(folder, 'data/keys.json');
});

const write = (...set: object[]) => writeFileSync(file, JSON.stringify({ keys: set }), { mode: 0o600 });
const read = () => (JSON.parse(readFileSync(file, 'utf8')) as { keys: PrivateJwk[] }).keys;
const run = (...args: string[]) => keysHere(folder, args);
/** As an operator runs it, with the default path of the file. */
const runProcess = (...args: string[]) => keys(folder, args);
const seconds = () => Math.floor(Date.now() / 1000);
/** A time within the few seconds that the command took. */
function expectTime(actual: number | undefined, expected: number): void {
  expect(Math.abs(Number(actual) - expected)).toBeLessThan(10);
}

/** What the operator gets: a line, exit code 1, no stack trace, nothing of a key. */
function expectRefusal({ code, stdout, stderr }: Ended, message: RegExp): void {
  expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(message) });
  expect(stderr).not.toMatch(/^\s+at .*:\d+/m);
}

describe('keys generate', () => {
  it('makes a file for its owner only, with the algorithm that was asked for', async () => {
    expect(await runProcess('generate', '--alg', 'PS256')).toMatchObject({ code: 0, stderr: '' });
    expect(read().map(({ token_use: kind, alg }) => [kind, alg])).toEqual([
      ['access', 'PS256'],
      ['refresh', 'HS256'],
      ['factor', 'HS256'],
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('never replaces one', () => {
    write(...generateKeySet().keys);
    const before = readFileSync(file, 'utf8');
    expectRefusal(run('generate'), /exists and is not replaced/);
    expect(readFileSync(file, 'utf8')).toBe(before);
    expect(readdirSync(join(folder, 'data'))).toEqual(['keys.json']);
  });
});

describe('keys import', () => {
  const pem = () =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' });

  it('makes the file, with a refresh key beside it', () => {
    writeFileSync(join(folder, 'old.pem'), pem());
    const { code, stdout } = run('import', join(folder, 'old.pem'));
    expect(code).toBe(0);
    const [imported, refresh] = read();
    expect(imported).toMatchObject({ alg: 'ES256', token_use: 'access' });
    expect(refresh).toMatchObject({ alg: 'HS256', token_use: 'refresh' });
    expect(stdout).toContain(`${imported?.kid} (ES256) signs access tokens from now on`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('adds a key once, which signs when the caches of others know it', () => {
    write(...generateKeySet().keys);
    writeFileSync(join(folder, 'old.pem'), pem());
    expect(run('import', join(folder, 'old.pem'))).toMatchObject({ code: 0, stderr: '' });
    expect(read()).toHaveLength(4);
    expectTime(read()[3]?.signs_from, seconds() + 360);
    expectRefusal(run('import', join(folder, 'old.pem')), /is in the file already/);
  });

  it('refuses a file without a private key, and changes nothing', () => {
    write(...generateKeySet().keys);
    writeFileSync(join(folder, 'secret.pem'), 'super-secret');
    expectRefusal(run('import', join(folder, 'secret.pem')), /secret\.pem holds no private key in PEM/);
    expectRefusal(run('import', 'nowhere.pem'), /nowhere\.pem cannot be read/);
    expect(run('import')).toMatchObject({ code: 1, stderr: expect.stringMatching(/needs the FILE/) });
    expect(read()).toHaveLength(3);
  });
});

describe('keys rotate', () => {
  it('adds a key of each kind, drops what ended a day ago, and keeps what it does not know', () => {
    const [access, refresh] = generateKeySet().keys;
    const ended = { ...generateKey('access', 'ES256'), verifies_until: seconds() - 86_401 };
    const lately = { ...generateKey('access', 'ES256'), verifies_until: seconds() - 86_000 };
    const set = { note: 'ours', keys: [{ ...access, note: 'first' }, refresh, ended, lately] };
    writeFileSync(file, JSON.stringify(set));
    const { stdout } = run('rotate');
    expect(stdout).toContain(`${ended.kid} had ended and is removed`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ note: 'ours' });
    const after = read();
    expect(after.slice(0, 3)).toEqual([{ ...access, note: 'first' }, refresh, lately]);
    expect(after.slice(3).map(({ token_use: kind, alg }) => [kind, alg])).toEqual([
      ['access', 'ES256'],
      ['refresh', 'HS256'],
    ]);
    for (const { signs_from: from } of after.slice(3)) expectTime(from, seconds() + 360);
  });

  it('loses no key where two run at once, and adds one', async () => {
    write(...generateKeySet().keys);
    const outcomes = await Promise.all([
      runProcess('rotate', '--kind', 'access'),
      runProcess('rotate', '--kind', 'refresh'),
      runProcess('rotate', '--kind', 'access'),
      runProcess('rotate', '--kind', 'refresh'),
    ]);
    // One of each kind: the second of a kind finds a key that waits.
    expect(outcomes.map(({ code }) => code).reduce((sum, code) => sum + code)).toBe(2);
    for (const outcome of outcomes.filter(({ code }) => code === 1)) expectRefusal(outcome, /is waiting/);
    expect(read()).toHaveLength(5);
    expect(readdirSync(join(folder, 'data'))).toEqual(['keys.json']);
  });

  it('keeps the mode of the file, and a link a link', () => {
    write(...generateKeySet().keys);
    chmodSync(file, 0o640);
    const link = join(folder, 'link.json');
    symlinkSync(file, link);
    keysHere(folder, ['rotate'], { AUTH_KEYS_FILE: link });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(read()).toHaveLength(5);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it('explains a lock that was left behind, and changes nothing', () => {
    write(...generateKeySet().keys);
    writeFileSync(`${file}.lock`, 'process 7 on elsewhere');
    expectRefusal(
      run('rotate'),
      /keys\.json\.lock is held \(process 7 on elsewhere\)\. If that command no longer runs, remove the file/,
    );
    expect(read()).toHaveLength(3);
  });
});

describe('keys retire', () => {
  it('ends every superseded key a minute after its last token, by the lifetimes of the environment', () => {
    const set = generateKeySet().keys;
    write(...set, { ...generateKey('access', 'ES256'), signs_from: seconds() + 100 });
    const env = { ACCESS_TOKEN_TTL: '20m' };
    const { code, stdout } = keysHere(folder, ['retire'], env);
    expect(code).toBe(0);
    const [first, second] = read();
    expectTime(first?.verifies_until, seconds() + 100 + 1200 + 60);
    expect(second).toEqual(set[1]);
    expect(stdout).toMatch(new RegExp(`^${first?.kid} verifies until \\d{4}-\\d\\d-\\d\\dT[\\d:]+Z\n$`));
  });

  it('--now removes the key, and says what it costs', () => {
    const [access, refresh] = generateKeySet().keys;
    write(access!, refresh!);
    const { stdout } = run('retire', refresh!.kid, '--now');
    expect(stdout).toMatch(/those users log in again[^]*signs from now on, made for it/);
    const after = read();
    expect(after).toHaveLength(2);
    expect(after.map(({ kid }) => kid)).not.toContain(refresh!.kid);
    expectTime(after[1]?.signs_from, seconds());
  });

  it('refuses a key without successor', () => {
    const set = generateKeySet().keys;
    write(...set);
    expectRefusal(run('retire', set[0]!.kid), /has no successor: rotate first/);
    expectRefusal(run('retire', 'unknown'), /no key has the "kid" "unknown"/);
  });
});

it('keys list shows what each key does, and nothing of the keys', () => {
  const set = [...generateKeySet().keys, { ...generateKey('access', 'RS256'), signs_from: 4e9 }];
  write(...set);
  const { stdout } = run('list');
  expect(stdout.split('\n').map((line) => line.split(/ {2,}/))).toEqual([
    ['KID', 'KIND', 'ALG', 'STATE'],
    [set[0]!.kid, 'access', 'ES256', 'signs'],
    [set[1]!.kid, 'refresh', 'HS256', 'signs'],
    [set[2]!.kid, 'factor', 'HS256', 'signs'],
    [set[3]!.kid, 'access', 'RS256', 'signs from 2096-10-02T07:06:40Z'],
    [''],
  ]);
});

describe('keys, wrongly called or wrongly set', () => {
  it.each<[string[], RegExp]>([
    [[], /^No command was given/],
    [['frobnicate'], /^There is no command "frobnicate"/],
    [['constructor'], /^There is no command "constructor"/],
    [['rotate', '--alg', 'HS512'], /^--alg must be one of ES256, ES384, RS256, PS256, HS256/],
    [['rotate', '--kind', 'id'], /^--kind must be one of access, refresh/],
    [['rotate', '--force'], /^Unknown option '--force'/],
    [['rotate', 'x'], /^rotate takes no "x"/],
    [['list', '--now'], /^list takes no --now/],
    [['retire', '--now'], /^--now needs the KID/],
    [['rotate'], /keys\.json does not exist; create it with `npm run keys -- generate`/],
  ])('%j: says so', (args, message) => {
    expectRefusal(run(...args), message);
    expect(readdirSync(join(folder, 'data'))).toEqual([]);
  });

  it('reports a broken file and a wrong environment as the server does', async () => {
    writeFileSync(file, '{');
    expectRefusal(await runProcess('list'), /keys\.json is not JSON; restore it from a backup/);
    for (const command of ['rotate', 'retire']) {
      expectRefusal(run(command), /keys\.json is not JSON; restore it from a backup/);
    }
    expectRefusal(keysHere(folder, ['list'], { ACCESS_TOKEN_TTL: '9' }), /^ACCESS_TOKEN_TTL: must be/);
    expect(readFileSync(file, 'utf8')).toBe('{');
  });

  it('--help explains', () => {
    expect(run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('rotate') });
  });
});
