import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { TOKEN_MESSAGES, tokenChallenge } from '../../src/auth/errors/challenge.js';
import { type TokenErrorCode } from '../../src/auth/index.js';
import { createTestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { blocksOf, quotesIn, readDocument, ROOT, rowsOf, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/errors.md');
const TOKEN_CODES = Object.keys(TOKEN_MESSAGES) as TokenErrorCode[];

/** Only a race that is lost many times in a row leads to it. */
const UNSEEN = ['changed_meanwhile'];

function readAll(folder: string, wanted: RegExp): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => wanted.test(path))
    .map((path) => readFileSync(join(ROOT, folder, path), 'utf8'));
}

const SOURCES = readAll('src', /(?<!spec)\.ts$/);
const TESTS = ['src', 'test'].flatMap((folder) => readAll(folder, /(?<!docs\/errors\.e2e-)spec\.ts$/));

/** `409 username_taken`, of whatever the sources answer: thrown, by its status, or by what Node's parser found. */
function answered(): string[] {
  const pairs = SOURCES.flatMap((text) => [...text.matchAll(/\b([45]\d\d)[:,]\s*'([a-z_]+)'/g)]);
  return [
    ...pairs.map(([, status, code]) => `${status} ${code}`),
    ...TOKEN_CODES.map((code) => `401 ${code}`),
  ];
}

function documented(): string[] {
  const rows = ['Tokens and passwords', 'Requests', 'The server'].flatMap((heading) =>
    rowsOf(DOCUMENT, heading),
  );
  const inProse = [...DOCUMENT.matchAll(/`(\w+)` \((\d{3})\)/g)].map(([, code = '', status = '']) => [
    code,
    status,
  ]);
  return [...rows, ...inProse].map(([code = '', status = '']) => `${status} ${quotesIn(code)[0] ?? code}`);
}

describe('docs/errors.md', () => {
  it('lists every error that the sources answer, with its status, and no other', () => {
    const found = [...new Set(answered())];
    expect(found.length).toBeGreaterThan(25);
    expect(documented().toSorted()).toEqual(found.toSorted());
  });

  it('could not miss one: each is thrown with its status and code in plain sight', () => {
    const thrown = SOURCES.flatMap((text) =>
      [...text.matchAll(/\bnew ApiError\(([^]{0,60})/g)].map(([, args]) => args),
    );
    expect(thrown.length).toBeGreaterThan(15);
    expect(thrown.filter((args) => !/^\s*[45]\d\d,\s*'[a-z_]+'/.test(args ?? ''))).toEqual([]);
  });

  it('lists none that no test has seen', () => {
    const codes = documented().map((each) => each.split(' ')[1] ?? '');
    const unseen = codes.filter((code) => !TESTS.some((text) => new RegExp(`\\b${code}\\b`).test(text)));
    expect(unseen).toEqual(UNSEEN);
  });

  it('says when and what to do of each', () => {
    for (const heading of ['Tokens and passwords', 'Requests', 'The server']) {
      for (const row of rowsOf(DOCUMENT, heading)) expect(row.filter(Boolean)).toHaveLength(4);
    }
  });

  it('shows the challenge of each token error as it is sent', () => {
    const shown = Object.fromEntries(
      rowsOf(DOCUMENT, 'Challenges').flatMap(([codes = '', challenge = '']) =>
        quotesIn(codes).map((code) => [code, quotesIn(challenge)[0]]),
      ),
    );
    const sent = TOKEN_CODES.map((code) => [
      code,
      tokenChallenge(code, 900).replace(TOKEN_MESSAGES[code], '…').replace('900', 'N'),
    ]);
    const { invalid_credentials: wrongPassword, insufficient_role: noRole, ...ofTokens } = shown;
    expect(ofTokens).toEqual(Object.fromEntries(sent));
    expect([wrongPassword, noRole]).toEqual([
      'Bearer',
      expect.stringContaining('error="insufficient_scope"'),
    ]);
  });

  it('shows how a feature answers with an error of its own', async () => {
    await withExamples('errors', blocksOf(DOCUMENT, 'ts'), async ([file = '']) => {
      const { TicketsController } = (await import(file)) as { TicketsController: new () => object };
      const api = await createTestApp({ controllers: [TicketsController] });
      try {
        const { access } = await api.login();
        for (const _ of ['refused', 'and the token is given back']) {
          const response = await api.request('POST', '/tickets', access);
          expect(expectError(response, 409, 'sold_out')).toBe('There are no tickets left');
          expect(JSON.stringify(response.body)).not.toContain('for the log');
        }
      } finally {
        await api.close();
      }
    });
  });
});
