import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { blocksOf, readDocument, withExamples } from './documents.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';

const README = readDocument('README.md');

describe('the README', () => {
  const SEPARATOR = '=== end of answer ===';
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  it('tells a story in curl that is true', async () => {
    execFileSync('curl', ['--version']);
    const [story = ''] = blocksOf(README.split('## The story in curl')[1] ?? '', 'sh');
    const expected = [...story.matchAll(/^# → (\d{3}) ?(.*)$/gm)].map(([, status, text]) => ({
      status,
      text,
    }));
    expect(expected.length).toBeGreaterThan(8);
    // The commands as they stand, but for the address, and with the headers shown so that the status can be read.
    const script = story
      .replace('http://127.0.0.1:3000', await api.app.getUrl())
      .replace(/^curl -si? /gm, 'curl -si ')
      .replace(/^(curl [^\n]*)$/gm, `$1; printf '\\n%s\\n' '${SEPARATOR}'`);
    const { stdout } = await promisify(execFile)('bash', ['-euo', 'pipefail', '-c', script]);
    const answers = stdout.split(SEPARATOR).slice(0, -1);
    expect(answers.length).toBe(expected.length);
    for (const [i, { status, text }] of expected.entries()) {
      expect(answers[i]).toMatch(new RegExp(`^\\s*HTTP/1.1 ${status} `));
      expect(answers[i]).toContain(text);
    }
  });

  it('shows a guarded module that guards', async () => {
    await withExamples('readme', blocksOf(README, 'ts'), async ([file = '']) => {
      const { PostcardsModule } = (await import(file)) as { PostcardsModule: new () => object };
      const team = await createTestApp({ imports: [PostcardsModule] });
      try {
        const login = await team.login();
        expectError(await team.request('GET', '/postcards'), 401, 'token_missing');
        const { body } = await team.request('GET', '/postcards', login.access).expect(200);
        expect(body).toEqual({ owner: login.user.id, items: [] });
        await team.request('GET', '/postcards/sizes').expect(200);
        await team.request('DELETE', '/postcards/7', login.access).expect(200);
        team.clock.advance('5m 1s');
        expectError(await team.request('DELETE', '/postcards/7', login.access), 401, 'fresh_token_required');
        await team.request('GET', '/postcards', login.access).expect(200);
      } finally {
        await team.close();
      }
    });
  });
});
