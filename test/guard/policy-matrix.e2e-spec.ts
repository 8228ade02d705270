import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { listRoutes, type Route } from '../../src/auth/internals.js';
import { parseChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { expectError } from '../support/expect-error.js';
import { expectedOutcome } from '../support/expected-outcome.js';
import { type ShownToken, showToken, TOKEN_KINDS } from '../support/token-kinds.js';

const REFUSALS = /^(token_|fresh_token_|refresh_token_|insufficient_role)/;

describe('every route × every kind of token', () => {
  let api: TestApp;
  let routes: Route[];
  beforeAll(async () => {
    api = await createTestApp();
    routes = listRoutes(api.app);
  });
  afterAll(() => api.close());

  describe.each([{ warm: false }, { warm: true }])('%j', ({ warm }) => {
    it.each(TOKEN_KINDS)('%s', (shown) => walk(shown, warm));
  });

  it('what changes credentials, sessions, accounts or money demands a fresh token', async () => {
    const stale = await api.login();
    await stale.rotate();
    const critical = [
      'PUT /auth/password',
      'DELETE /profile',
      'DELETE /auth/sessions/:id',
      'DELETE /admin/users/:id/sessions',
      // example:begin
      'POST /transfers',
      // example:end
    ];
    const found = routes.filter(({ method, path }) => critical.includes(`${method} ${path}`));
    expect(found).toHaveLength(critical.length);
    for (const { method, path } of found) {
      expectError(await api.request(method, path, stale.access).send({}), 401, 'fresh_token_required');
    }
  });

  async function walk(shown: ShownToken, warm: boolean): Promise<void> {
    expect(routes.length).toBeGreaterThan(10);
    for (const route of routes) {
      const wanted = route.policy.level === 'refresh' ? 'refresh' : 'access';
      const token = await showToken(api, shown, wanted, { warm });
      const path = route.path.replace(/:\w+/g, '00000000-0000-7000-8000-000000000000');
      const body = route.path === '/auth/reauthenticate' ? { password: 'space-corgi' } : {};
      const response = await api.request(route.method, path, token).send(body);
      const outcome = expectedOutcome(route, shown);
      const seen = `${route.method} ${route.path}: ${response.status} ${JSON.stringify(response.body)}`;
      if (outcome === 'enters') {
        expect(seen).not.toMatch(/: 5\d\d /);
        expect([seen, response.body?.errorCode ?? '']).toEqual([seen, expect.not.stringMatching(REFUSALS)]);
      } else {
        expect([seen, response.body.errorCode]).toEqual([seen, outcome]);
        expectError(response, outcome === 'insufficient_role' ? 403 : 401, outcome);
        const { error } = parseChallenge(response);
        const challenges = {
          token_missing: undefined,
          fresh_token_required: 'insufficient_user_authentication',
          insufficient_role: 'insufficient_scope',
        };
        expect(error).toBe(outcome in challenges ? challenges[outcome as 'token_missing'] : 'invalid_token');
      }
    }
  }
});
