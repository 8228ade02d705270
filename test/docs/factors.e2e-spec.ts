import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { blocksOf, readDocument } from './documents.js';
import { TestClock } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';

const STORY = blocksOf(readDocument('docs/factors.md'), 'sh')[0] ?? '';

/** The time of the authenticator, also if the story goes on into the next code. */
class RunningClock extends TestClock {
  override now(): number {
    return Date.now();
  }
}

/** Debian's `oathtool`, which knows nothing of us; where it is not installed, a script stands in for it. */
function hasOathtool(): boolean {
  try {
    execFileSync('oathtool', ['--version']);
    return true;
  } catch {
    return false;
  }
}

describe('docs/factors.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-oathtool-'));
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ clock: new RunningClock() });
    if (hasOathtool()) return;
    const standIn = join(folder, 'oathtool');
    copyFileSync(join(import.meta.dirname, '../support/oathtool.mjs'), standIn);
    chmodSync(standIn, 0o755);
  });
  afterAll(async () => {
    await api.close();
    rmSync(folder, { recursive: true });
  });

  it('tells a story in curl that is true', async () => {
    const expected = [...STORY.matchAll(/^# → (.*)$/gm)].map(([, text]) => text);
    expect(expected.length).toBeGreaterThan(5);
    const script = STORY.replace('http://127.0.0.1:3000', await api.app.getUrl());
    const env = { ...process.env, PATH: `${process.env['PATH']}:${folder}` };
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script], { env });
    expect(stdout.trim().split('\n')).toEqual(expected);
  });
});
