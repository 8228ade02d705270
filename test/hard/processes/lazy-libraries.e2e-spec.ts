import { expect, it } from '@jest/globals';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder, start } from '../../support/server-process.js';

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
  const env = { NODE_OPTIONS: `--import=${script}`, NODE_V8_COVERAGE: coverage, DATABASE_URL: ':memory:' };
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

it('the library of passkeys is loaded by their first use, not by the start', async () => {
  const idle = await packagesAfter([]);
  expect(idle).toContain('@nestjs/core');
  expect([...idle].filter((name) => name.startsWith('@simplewebauthn'))).toEqual([]);
  expect(await packagesAfter(['/auth/login/passkey/options'])).toContain('@simplewebauthn/server');
});

it('packages of GraphQL, mail and PostgreSQL are not loaded where nothing uses them', async () => {
  const idle = await packagesAfter([]);
  expect(['graphql', '@nestjs/graphql', 'nodemailer', 'pg'].filter((name) => idle.has(name))).toEqual([]);
});
