import { expect, it } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULTS, makeFolder, start } from '../../support/server-process.js';

/** Writes down which scripts are loaded, and ends. V8 knows, whatever has loaded them. */
const WRITE_DOWN = `
import { takeCoverage } from 'node:v8';
process.once('SIGUSR2', () => { takeCoverage(); process.exit(); });
`;

/** The packages that a server has loaded after these requests. */
async function packagesAfter(paths: string[]): Promise<Set<string>> {
  const folder = makeFolder();
  const script = join(folder, 'write-down.mjs');
  writeFileSync(script, WRITE_DOWN);
  const coverage = join(folder, 'coverage');
  const env = {
    ...DEFAULTS,
    NODE_OPTIONS: `--import=${script}`,
    NODE_V8_COVERAGE: coverage,
    DATABASE_URL: ':memory:',
  };
  const server = await start({ folder, env });
  for (const path of paths) expect((await server.request('POST', path, { body: {} })).status).toBe(200);
  await server.stop('SIGUSR2');
  const urls = readdirSync(coverage).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as {
      result: { url: string }[];
    };
    return result.map(({ url }) => url);
  });
  return new Set(urls.flatMap((url) => /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []));
}

it('libraries that only some servers use are loaded by their first use, not by the start', async () => {
  const idle = await packagesAfter([]);
  expect(idle).toContain('@nestjs/core');
  const unused = ['graphql', '@nestjs/graphql', 'nodemailer', 'pg'];
  expect(unused.filter((name) => idle.has(name))).toEqual([]);
  expect([...idle].filter((name) => name.startsWith('@simplewebauthn'))).toEqual([]);
  expect(await packagesAfter(['/auth/login/passkey/options'])).toContain('@simplewebauthn/server');
});
