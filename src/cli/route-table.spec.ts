import { describe, expect, it } from '@jest/globals';
import { type Route } from '../auth/internals.js';
import { describeRoutes, formatRoutes } from './route-table.js';

const route = (policy: Route['policy'], roles: string[] = []): Route => ({
  method: 'GET',
  path: '/x',
  handler: 'X.x',
  policy,
  roles,
});
const described = (policy: Route['policy']) => describeRoutes([route(policy)], 900_000)[0];

describe('the table of routes', () => {
  it('shows the maximum age of a proof, also the default one, for fresh routes only', () => {
    expect(described({ level: 'fresh-access', once: false })?.maxAge).toBe('15m');
    expect(described({ level: 'fresh-access', once: true, maxAge: 60_000 })).toMatchObject({
      maxAge: '1m',
      once: true,
    });
    expect(described({ level: 'access' })).toMatchObject({ maxAge: null, once: false, notes: [] });
  });

  it('shows unusual options', () => {
    expect(described({ level: 'access', skipRevocationCheck: true })?.notes).toEqual(['skips revocation']);
    expect(described({ level: 'refresh', rotates: false })?.notes).toEqual([]);
    expect(described({ level: 'access-or-refresh', allowRevoked: true })?.notes).toEqual(['even if revoked']);
    expect(described({ level: 'access', locations: ['query'] })?.locations).toEqual(['query']);
  });

  it('is one line a route, in columns', () => {
    const routes = describeRoutes(
      [route({ level: 'access', locations: ['query', 'header'], skipRevocationCheck: true }, ['a', 'b'])],
      900_000,
    );
    expect(formatRoutes(routes)).toBe(
      'METHOD  PATH  NEEDS   ROLE    ACR  MAX AGE  ONCE  NOTES                                 HANDLER\n' +
        'GET     /x    access  a or b  -    -        -     skips revocation, from query, header  X.x\n',
    );
  });
});
