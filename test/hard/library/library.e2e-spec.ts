import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../../src/database/index.js';
import { blocksOf, quotesIn, readDocument, ROOT } from '../../docs/documents.js';
import { describeEachStack } from '../../support/adapters.js';
import { createTestDatabase, type TestDatabase } from '../../support/engines.js';
import { readLockfile, Scratch, type ScratchServer, whyNothingInstalls } from './scratch.js';

/* The package as a team gets it: packed, installed, and used by the application that docs/library.md shows. */

/** Milliseconds: a build, an install and a compilation, on a busy machine. */
const LONG = 300_000;

const DOCUMENT = readDocument('docs/library.md');
const FILES = Object.fromEntries(
  blocksOf(DOCUMENT, 'ts').map((code) => [/^\/\/ (\S+)\n/.exec(code)?.[1] ?? '', code]),
);

/** What a team writes for the guard itself. */
const GUARD = ['src/app.module.ts', 'src/invoices.module.ts'];

/** Compiled beside the others: what must be refused, so that no type has quietly become `any`. */
const WRONG = `import { FreshAccess, type Principal } from 'freshgate';
import { type Database } from 'freshgate/database';
import { type TestApp } from 'freshgate/testing';
FreshAccess({ maxAge: 5 });
export const name = (user: Principal) => user.password;
export const query = (db: Database) => db.selectFrom('nothing');
export const agent = (app: TestApp) => app.as('cosmo').expired().then((agent) => agent.patience);
`;
/** A table of a team's own may have the name of ours, which is not made then. */
const NAMESAKE = `import { type Database } from 'freshgate/database';
declare module 'freshgate/database' {
  interface Tables {
    users: { mail: string };
  }
}
export const mails = (db: Database) => db.selectFrom('users').select('mail');
`;

const missing = await whyNothingInstalls();

(missing === undefined ? describe : describe.skip)('freshgate as a package', () => {
  let scratch: Scratch;
  let complaints: string[];
  beforeAll(async () => {
    scratch = new Scratch();
    scratch.write({ ...FILES, 'src/wrong.ts': WRONG, 'src/namesake.ts': NAMESAKE });
    await scratch.install();
    complaints = await scratch.compile();
  }, LONG);
  afterAll(() => scratch.remove());

  it('holds what a consumer needs, and nothing else', () => {
    const folder = scratch.path('node_modules/freshgate');
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(folder, name)).isFile(),
    );
    expect(files).toEqual(expect.arrayContaining(['package.json', 'README.md', 'LICENSE']));
    const code = files.filter((name) => /^dist\/.+(\.m?js|\.d\.m?ts)$/.test(name));
    expect(code.filter((name) => name.includes('.spec.'))).toEqual([]);
    // The server around the modules is not theirs.
    const server =
      /^dist\/(main|app\.|server\.|features|health|metrics|logging|cli\/(?!keys|run-keys|operator|table))/;
    expect(code.filter((name) => server.test(name))).toEqual([]);
    const rest = files.filter((name) => !code.includes(name));
    expect(rest.filter((name) => !/^(package\.json|[A-Z]+(\.md)?)$/.test(name))).toEqual([]);
    expect(code.filter((name) => readFileSync(join(folder, name), 'utf8').includes('sourceMapping'))).toEqual(
      [],
    );
    expect(statSync(scratch.path(scratch.tarball)).size).toBeLessThan(400_000);
    expect(DOCUMENT).toContain(`/${scratch.tarball} `);
  });

  it('is installed without a script, beside one Nest, which is the one of these tests', () => {
    const packages = scratch.installed();
    expect(packages['node_modules/freshgate']).toMatchObject({ version: expect.any(String) });
    expect(packages['node_modules/freshgate']).not.toHaveProperty('hasInstallScript');
    const ours = readLockfile(join(ROOT, 'package-lock.json')).packages;
    for (const name of ['node_modules/@nestjs/core', 'node_modules/@nestjs/common']) {
      expect(Object.keys(packages).filter((path) => path.endsWith(name))).toEqual([name]);
      expect(packages[name]?.version).toBe(ours[name]?.version);
    }
  });

  it('is refused beside another major version of Nest', async () => {
    await expect(scratch.installBeside('@nestjs/common@11', '@nestjs/core@11')).rejects.toMatchObject({
      stderr: expect.stringMatching(/ERESOLVE[^]*peer @nestjs\/\w+@"\^12/),
    });
  });

  it('compiles with what the document shows, by types that refuse what is wrong', () => {
    expect(complaints).toEqual([
      expect.stringMatching(/^src\/wrong\.ts\(4,.+'number' is not assignable/),
      expect.stringMatching(/^src\/wrong\.ts\(5,.+'password' does not exist on type 'Principal'/),
      expect.stringMatching(/^src\/wrong\.ts\(6,.+'"nothing"'/),
      expect.stringMatching(/^src\/wrong\.ts\(7,.+'patience' does not exist/),
    ]);
  });

  it('guards by less than 30 lines of the team’s own', () => {
    const lines = GUARD.flatMap((path) => String(FILES[path]).split('\n'));
    const code = lines.filter((line) => line.trim() !== '' && !line.startsWith('//'));
    expect(code.length).toBeGreaterThan(20);
    expect(code.length).toBeLessThan(30);
  });

  it('brings the test kit, which runs under the runner of Node', async () => {
    const args = ['--test', '--test-reporter=tap', 'dist/test/invoices.test.js'];
    expect(await scratch.node(args)).toMatch(/^# pass 1$[^]*^# fail 0$/m);
  });

  it('brings the command for keys, where the document says', async () => {
    const [path = ''] = /(?<=`node )node_modules\/\S+\.js(?=`)/.exec(DOCUMENT) ?? [];
    const env = { AUTH_KEYS_FILE: scratch.path('keys.json') };
    await scratch.node([path, 'generate'], env);
    expect(await scratch.node([path, 'list'], env)).toMatch(/access +ES256 +signs[^]*refresh +HS256 +signs/);
  });

  describeEachStack('in an application', ({ adapter, engine }) => {
    let database: TestDatabase;
    let url: string;
    let server: ScratchServer;
    beforeAll(async () => {
      database = await createTestDatabase(engine);
      url = engine === 'sqlite' ? `file:${scratch.path(`${adapter}.db`)}` : database.url;
      const main = adapter === 'fastify' ? 'main' : 'main-express';
      server = await scratch.start(main, { DATABASE_URL: url, NODE_ENV: 'production' });
    });
    afterAll(async () => {
      await server.stop();
      await database.drop();
    });

    it('lets in, asks for the password again, and logs out', async () => {
      const laika = { username: 'laika', password: 'space-corgi' };
      expect(await server.request('GET', '/invoices')).toMatchObject({
        status: 401,
        challenge: 'Bearer',
        body: { errorCode: 'token_missing' },
      });
      expect(await server.request('POST', '/auth/register', undefined, laika)).toMatchObject({ status: 201 });
      const login = (await server.request('POST', '/auth/login', undefined, laika)).body;
      const fresh = String(login['access_token']);
      expect(await server.request('GET', '/invoices', fresh)).toMatchObject({ status: 200, body: [] });
      expect(await server.request('DELETE', '/invoices', fresh)).toMatchObject({ status: 200 });

      const pair = (await server.request('POST', '/auth/refresh', String(login['refresh_token']))).body;
      const stale = String(pair['access_token']);
      expect(await server.request('GET', '/invoices', stale)).toMatchObject({ status: 200 });
      expect(await server.request('DELETE', '/invoices', stale)).toEqual({
        status: 401,
        challenge:
          'Bearer error="insufficient_user_authentication", error_description="Fresh token required", max_age="300"',
        body: expect.objectContaining({ errorCode: 'fresh_token_required' }),
      });

      const proof = { password: laika.password };
      const again = await server.request(
        'POST',
        '/auth/reauthenticate',
        String(pair['refresh_token']),
        proof,
      );
      const proved = String(again.body['access_token']);
      expect(await server.request('DELETE', '/invoices', proved)).toMatchObject({ status: 200 });

      expect(await server.request('POST', '/auth/logout', proved)).toMatchObject({ status: 204 });
      expect(await server.request('GET', '/invoices', proved)).toMatchObject({
        status: 401,
        body: { errorCode: 'token_revoked' },
      });
    });

    it('finds no user of a name that cannot exist', async () => {
      const nobody = { username: 'la\0ika', password: 'space-corgi' };
      expect(await server.request('POST', '/auth/login', undefined, nobody)).toMatchObject({
        status: 401,
        body: { errorCode: 'invalid_credentials' },
      });
    });

    it('accepts no form when the application configures none', async () => {
      const status = await server.submit('/auth/login', { username: 'laika', password: 'space-corgi' });
      expect(status).toBe(adapter === 'fastify' ? 415 : 400);
    });

    it('has the user in the table of the team, and no table of ours for users', async () => {
      await server.stop();
      const db = openDatabase(url);
      try {
        const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
        const names = tables.map(({ name }) => name).filter((name) => !/^(members|invoices)$/.test(name));
        expect(names).toEqual(expect.arrayContaining(['sessions', 'audit_events']));
        const [taken = ''] = /^- Taken names:[^]*?\.$/m.exec(DOCUMENT) ?? [];
        expect(quotesIn(taken)).toEqual(expect.arrayContaining(names));
        expect(quotesIn(taken)).not.toContain('users');
        const members = await db
          .selectFrom('members' as never)
          .selectAll()
          .execute();
        expect(members).toMatchObject([{ login: 'laika', roles: '' }]);
      } finally {
        await db.destroy();
      }
    });
  });
});
