import { type Route } from '../auth/index.js';
import { formatDuration } from '../time/duration.js';
import { formatTable } from './table.js';

/** What a route asks of who enters, in words and without defaults left out: for people, and for other programs. */
export interface RouteDescription {
  method: string;
  path: string;
  needs: Route['policy']['level'];
  /** Any one of them. */
  roles: readonly string[];
  /** How old the password proof may be, like `15m`; null where no fresh token is needed. */
  maxAge: string | null;
  /** The token is spent by the first success. */
  once: boolean;
  /** Where its token may be; null where the application's order holds. */
  locations: readonly string[] | null;
  /** What is unusual besides: `even if ended`, `rotates`, `skips revocation`. */
  notes: readonly string[];
  handler: string;
}

const NOTES = {
  allowRevoked: 'even if ended',
  rotates: 'rotates',
  skipRevocationCheck: 'skips revocation',
};

/** @param freshMaxAge milliseconds, of routes that say nothing else */
export function describeRoutes(routes: readonly Route[], freshMaxAge: number): RouteDescription[] {
  return routes.map(({ method, path, policy, roles, handler }) => ({
    method,
    path,
    needs: policy.level,
    roles,
    maxAge: policy.level === 'fresh-access' ? formatDuration(policy.maxAge ?? freshMaxAge) : null,
    once: policy.level === 'fresh-access' && policy.once,
    locations: ('locations' in policy && policy.locations) || null,
    notes: Object.entries(NOTES)
      .filter(([flag]) => (policy as Record<string, unknown>)[flag] === true)
      .map(([, note]) => note),
    handler,
  }));
}

const HEAD = ['METHOD', 'PATH', 'NEEDS', 'ROLE', 'MAX AGE', 'ONCE', 'NOTES', 'HANDLER'];

/** One line a route. */
export function formatRoutes(routes: readonly RouteDescription[]): string {
  const rows = routes.map((route) => [
    route.method,
    route.path,
    route.needs,
    route.roles.join(' or ') || '-',
    route.maxAge ?? '-',
    route.once ? 'once' : '-',
    [...route.notes, ...(route.locations ? [`from ${route.locations.join(', ')}`] : [])].join(', ') || '-',
    route.handler,
  ]);
  return formatTable([HEAD, ...rows])
    .map((line) => `${line}\n`)
    .join('');
}
