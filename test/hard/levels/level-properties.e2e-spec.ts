import { afterAll, beforeAll, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { ACRS, type Acr } from '../../../src/auth/index.js';
import { claimsOf } from '../../support/claims.js';
import { createTestApp, type TestApp } from '../../support/create-test-app.js';
import { describeEachEngine } from '../../support/engines.js';
import { PIN_OF, PinFactorModule } from '../../support/pin-factor.js';

/** What a client, or a thief, does with a refresh token that it has: `back` counts from the newest. */
type Step =
  | { act: 'refresh'; back: number; key: string | undefined }
  | { act: 'prove'; back: number; key: string | undefined; acr: Acr }
  | { act: 'wait'; seconds: number };

const back = fc.integer({ min: 0, max: 2 });
const key = fc.constantFrom(undefined, 'a', 'b');
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ act: fc.constant('refresh' as const), back, key }),
  fc.record({ act: fc.constant('prove' as const), back, key, acr: fc.constantFrom(...ACRS) }),
  fc.record({ act: fc.constant('wait' as const), seconds: fc.constantFrom(1, 5, 60) }),
);

interface Event {
  acr: string;
  amr: string;
  auth_time: number;
}

const rank = ({ acr }: Event) => ACRS.indexOf(acr as Acr);

describeEachEngine('no sequence of refreshes and proofs', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine, imports: [PinFactorModule] });
  });
  afterAll(() => api.close());

  const eventOf = (token: string): Event => {
    const { acr, amr, auth_time } = claimsOf(token) as unknown as Event & { amr: string[] };
    return { acr, amr: amr.join(' '), auth_time };
  };

  it('raises a level, shows a pair of level and time that was never proved, or hands a raise to an older token', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 9 }), async (steps) => {
        const login = await api.login();
        const proved: Event[] = [eventOf(login.access)];
        const tokens = [login.refresh];
        let raisedAt = 0;
        for (const each of steps) {
          if (each.act === 'wait') {
            api.clock.advance(each.seconds * 1000);
            continue;
          }
          const at = Math.max(0, tokens.length - 1 - each.back);
          const token = tokens[at] ?? '';
          if (each.act === 'refresh') {
            const { status, body } = await login.tryRefresh(token, each.key);
            if (status !== 200) continue;
            expect(at).toBeGreaterThanOrEqual(raisedAt);
            expect(claimsOf(body.access_token)['fresh']).toBe(false);
            // The strongest event, and of these the latest.
            const strongest = proved.reduce((best, next) => (rank(next) >= rank(best) ? next : best));
            expect(eventOf(body.access_token)).toEqual(strongest);
            if (!tokens.includes(body.refresh_token)) tokens.push(body.refresh_token);
            continue;
          }
          const highest = Math.max(...proved.map(rank));
          const { status, body } = await login
            .tryReauthenticate(token, login.user.password, each.key)
            .send({ pin: PIN_OF[each.acr] });
          if (status !== 200) continue;
          const amr = each.acr === 'pwd' ? 'pwd' : 'pwd pin';
          const event = { acr: each.acr, amr, auth_time: api.clock.now() / 1000 };
          expect(eventOf(body.access_token)).toEqual(event);
          expect(claimsOf(body.access_token)['fresh']).toBe(true);
          proved.push(event);
          if (!tokens.includes(body.refresh_token)) tokens.push(body.refresh_token);
          if (rank(event) > highest) {
            raisedAt = tokens.length - 1;
            expect(tokens[raisedAt]).toBe(body.refresh_token);
          }
        }
      }),
      { numRuns: engine === 'sqlite' ? 40 : 12 },
    );
  });
});
