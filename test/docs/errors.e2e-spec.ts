import { describe, expect, it } from '@jest/globals';
import { type OpenAPIObject } from '@nestjs/swagger';
import { tokenChallenge } from '../../src/auth/errors/challenge.js';
import { TOKEN_MESSAGES } from '../../src/tokens/token.errors.js';
import { ERROR_CODES, type TokenErrorCode } from '../../src/auth/index.js';
import { createTestApp } from '../support/create-test-app.js';
import { documentedErrors } from '../support/documented-errors.js';
import { expectError } from '../support/expect-error.js';
import { blocksOf, quotesIn, readDocument, rowsOf, withExamples } from './documents.js';

const DOCUMENT = readDocument('docs/errors.md');
const TOKEN_CODES = Object.keys(TOKEN_MESSAGES) as TokenErrorCode[];

/** Everything that the server answers by itself, and what the features of this application add. */
async function declared(): Promise<string[]> {
  const api = await createTestApp({ env: { OPENAPI: 'on' } });
  try {
    const { body } = await api.request('GET', '/openapi.json').expect(200);
    return [
      ...Object.entries(ERROR_CODES).flatMap(([code, { statuses }]) =>
        statuses.map((status) => `${status} ${code}`),
      ),
      ...[...documentedErrors(body as OpenAPIObject).values()].flatMap((errors) => [...errors]),
    ];
  } finally {
    await api.close();
  }
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
  it('lists every error that the server and its features declare, with its status, and no other', async () => {
    const errors = new Set(await declared());
    expect(documented().toSorted()).toEqual([...errors].toSorted());
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
      tokenChallenge(code, { maxAge: 900_000 }).replace(TOKEN_MESSAGES[code], '…').replace('900', 'N'),
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
