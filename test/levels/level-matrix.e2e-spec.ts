import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ACRS, type Acr } from '../../src/auth/index.js';
import { listRoutes, type Route } from '../../src/auth/internals.js';
import { parseChallenge } from '../../src/testing/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { PinFactorModule } from '../support/pin-factor.js';
import { forgeFreely } from '../support/token-kinds.js';

/** Access tokens by what they say: fresh or not, of a level; `null` for one of the version before levels. */
const TOKENS = [true, false].flatMap((fresh) => [...ACRS, null].map((acr) => ({ fresh, acr })));
const RANK = { pwd: 1, mfa: 2, phr: 3 };

/** The contract, independent of the guards: fresh if the route requires it, of its level or a higher one. */
function enters({ policy }: Route, { fresh, acr }: (typeof TOKENS)[number]): boolean {
  if (policy.level !== 'access' && policy.level !== 'fresh-access') return true;
  if (policy.level === 'fresh-access' && !fresh) return false;
  return policy.acr === undefined || RANK[acr ?? 'pwd'] >= RANK[policy.acr];
}

describe('every route with an access token × every level and freshness of the token', () => {
  let api: TestApp;
  let routes: Route[];
  beforeAll(async () => {
    api = await createTestApp({ imports: [PinFactorModule] });
    routes = listRoutes(api.app)
      .filter(({ policy }) => ['access', 'fresh-access'].includes(policy.level))
      // These require the strongest level of the user, beyond their declaration: test/factors, test/passkeys.
      .filter(({ path }) => !/^\/auth\/(factors|passkeys)/.test(path));
  });
  afterAll(() => api.close());

  it('has routes of every level', () => {
    const declared = routes.map(({ policy }) => [policy.level, (policy as { acr?: Acr }).acr].join(' '));
    for (const level of ['access', 'fresh-access'])
      for (const acr of ['', ...ACRS]) expect(declared).toContain(`${level} ${acr}`);
  });

  it.each(TOKENS)('%j', async (shown) => {
    for (const route of routes) {
      const agents = api.as('walker');
      const options = shown.acr === null ? {} : { acr: shown.acr };
      const issued = (await (shown.fresh ? agents.fresh(options) : agents.stale(options))).token;
      const token = shown.acr === null ? forgeFreely(api, issued, { acr: undefined }) : issued;
      const path = route.path.replace(/:\w+/g, '00000000-0000-7000-8000-000000000000');
      const answer = await api.request(route.method, path, token).send({});
      const seen = `${route.method} ${route.path}: ${answer.status} ${JSON.stringify(answer.body)}`;
      if (enters(route, shown)) {
        expect(seen).not.toMatch(/: 5\d\d |fresh_token_required|token_/);
        continue;
      }
      expect(seen).toContain('"errorCode":"fresh_token_required"');
      const { acr, maxAge = 900_000 } = route.policy as { acr?: Acr; maxAge?: number };
      const isFresh = route.policy.level === 'fresh-access';
      expect(parseChallenge(answer)).toEqual({
        error: 'insufficient_user_authentication',
        error_description: 'Fresh token required',
        ...(acr === undefined ? {} : { acr_values: acr }),
        ...(isFresh ? { max_age: String(maxAge / 1000) } : {}),
      });
    }
  });
});
