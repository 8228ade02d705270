import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { createTestApp, type TestApp } from './support/create-test-app.js';
import { expectError } from './support/expect-error.js';

const ROOT = join(import.meta.dirname, '..');
const README = readFileSync(join(ROOT, 'README.md'), 'utf8');

/** The fenced blocks of a language below a heading. */
function blocks(heading: string, language: string): string[] {
  const section = README.split(/^## /m).find((text) => text.startsWith(heading)) ?? '';
  return [...section.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\``, 'gm'))].map(
    ([, code]) => code ?? '',
  );
}

describe('the README', () => {
  const SEPARATOR = '=== end of answer ===';
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp();
  });
  afterAll(() => api.close());

  it('tells a story in curl that is true', async () => {
    execFileSync('curl', ['--version']);
    const [story = ''] = blocks('The story in curl', 'sh');
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

  it('shows a guarded module that compiles and guards', async () => {
    const [code = ''] = blocks('Add a guarded module', 'ts');
    // As deep as a feature's folder, but outside of src: other tests read that at the same time.
    const folder = join(ROOT, 'test/readme-example/invoices');
    const file = join(folder, 'invoices.module.ts');
    mkdirSync(folder, { recursive: true });
    let module: { InvoicesModule: new () => object };
    try {
      writeFileSync(file, code.replace('../../auth/', '../../../src/auth/'));
      expect(compile(file)).toEqual([]);
      module = (await import(file)) as typeof module;
    } finally {
      rmSync(join(ROOT, 'test/readme-example'), { recursive: true });
    }
    const team = await createTestApp({ imports: [module.InvoicesModule] });
    try {
      const login = await team.login();
      expectError(await team.request('GET', '/invoices'), 401, 'token_missing');
      const { body } = await team.request('GET', '/invoices', login.access).expect(200);
      expect(body).toEqual({ owner: login.user.id, items: [] });
      await team.request('GET', '/invoices/currencies').expect(200);
      await team.request('DELETE', '/invoices/7', login.access).expect(200);
      team.clock.advance('5m 1s');
      expectError(await team.request('DELETE', '/invoices/7', login.access), 401, 'fresh_token_required');
      await team.request('GET', '/invoices', login.access).expect(200);
    } finally {
      await team.close();
    }
  });

  it('links to files that exist', () => {
    const links = [...README.matchAll(/\]\((?!http)([^)#]+)\)/g)].map(([, path]) => path ?? '');
    expect(links.length).toBeGreaterThan(4);
    for (const link of links) expect(() => execFileSync('ls', [join(ROOT, link)])).not.toThrow();
  });
});

/** The compiler's complaints about one file, under the project's own settings. */
function compile(file: string): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (path) => ts.sys.readFile(path));
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT);
  const program = ts.createProgram([file], { ...options, noEmit: true });
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
}
