import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { listRoutes, type Route } from '../../src/auth/internals.js';
import { SERVED_DOCUMENTS } from '../../src/openapi/served-documents.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { quotesIn, readDocument, rowsOf } from './documents.js';

const NEEDS: Record<Route['policy']['level'], string> = {
  public: 'nothing',
  access: 'access token',
  'optional-access': 'access token, or nothing',
  'fresh-access': 'fresh access token',
  refresh: 'refresh token',
  'access-or-refresh': 'either token',
};

/** As the table says it. */
function needsOf({ policy, roles }: Route): string {
  const once = policy.level === 'fresh-access' && policy.once ? ', once' : '';
  return NEEDS[policy.level] + once + roles.map((role) => `, role \`${role}\``).join('');
}

describe('docs/http-api.md', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ env: { PAGES: 'on' } });
  });
  afterAll(() => api.close());

  it('lists every route that comes with the project, and what it needs', () => {
    const rows = rowsOf(readDocument('docs/http-api.md')).filter(([route = '']) => /^`[A-Z]+ \//.test(route));
    const documented = new Map(
      rows.flatMap(([paths = '', needs = '']) => quotesIn(paths).map((route) => [route, needs] as const)),
    );
    const routes = new Map(listRoutes(api.app).map((route) => [`${route.method} ${route.path}`, route]));
    expect(documented.size).toBeGreaterThan(15);
    for (const { method, path, kind } of SERVED_DOCUMENTS) {
      if (kind === 'document') expect(documented.get(`${method} ${path}`)).toBe('nothing');
      documented.delete(`${method} ${path}`);
    }
    for (const [name, needs] of documented) {
      const route = routes.get(name);
      // The cell may add members of the request, or other conditions for the token.
      expect([name, needs]).toEqual([
        name,
        expect.stringMatching(new RegExp(`^${route ? needsOf(route) : '?'}`)),
      ]);
    }
    const ours =
      /^\w+ \/($|assets|email|password|register|\.well-known|admin|auth|health|profile|transfers)\b/;
    expect([...routes.keys()].filter((name) => ours.test(name) && !documented.has(name))).toEqual([]);
  });
});
