import { type ListedCall, type Route } from '../auth/internals.js';
import { type Acr } from '../auth/index.js';
import { formatDuration } from '../time/duration.js';
import { type ServedDocument } from '../openapi/served-documents.js';
import { formatTable } from './table.js';

/** What a route, or another handler, requires, in words and with defaults, for people and for programs. */
export interface RouteDescription {
  /** Of a handler that no route calls: `QUERY`, `FIELD`, `MESSAGE`, `EVENT`, `WEBSOCKET` … */
  method: string;
  /** Or the name of the operation, the field or the event, or the pattern. */
  path: string;
  /** `operation`: what the operation of the field needs. */
  needs: Route['policy']['level'] | 'operation';
  /** One of them is required. */
  roles: readonly string[];
  /** The level that the token must say, or a stronger one; null if any will do. */
  acr: Acr | null;
  /** How old the proof may be, for example `15m`; null if the route requires no fresh token. */
  maxAge: string | null;
  /** The first success uses the token up. */
  once: boolean;
  /** Where the route looks for its token; null for the locations of the application. */
  locations: readonly string[] | null;
  /** `even if revoked`, `rotates`, `skips revocation`; `document` or `static files` if no controller answers. */
  notes: readonly string[];
  /** `ProfileController.getProfile`; null if no controller answers. */
  handler: string | null;
}

const NOTES = {
  allowRevoked: 'even if revoked',
  rotates: 'rotates',
  skipRevocationCheck: 'skips revocation',
};

/** @param freshMaxAge the default, in milliseconds */
export function describeRoutes(
  routes: readonly (Route | ListedCall)[],
  freshMaxAge: number,
): RouteDescription[] {
  return routes.map((route) => {
    const { method, path, policy, roles, handler } = route;
    return {
      method,
      path,
      needs: 'inherits' in route && route.inherits ? 'operation' : policy.level,
      roles,
      acr: ('acr' in policy && policy.acr) || null,
      maxAge: policy.level === 'fresh-access' ? formatDuration(policy.maxAge ?? freshMaxAge) : null,
      once: policy.level === 'fresh-access' && policy.once,
      locations: ('locations' in policy && policy.locations) || null,
      notes: Object.entries(NOTES)
        .filter(([flag]) => (policy as Record<string, unknown>)[flag] === true)
        .map(([, note]) => note),
      handler,
    };
  });
}

/** Documents are public. They are listed so that the table is complete. */
export function describeDocuments(documents: readonly ServedDocument[]): RouteDescription[] {
  return documents.map(({ method, path, kind }) => ({
    method,
    path,
    needs: 'public',
    roles: [],
    acr: null,
    maxAge: null,
    once: false,
    locations: null,
    notes: [kind],
    handler: null,
  }));
}

const HEAD = ['METHOD', 'PATH', 'NEEDS', 'ROLE', 'ACR', 'MAX AGE', 'ONCE', 'NOTES', 'HANDLER'];

/** Formats one line per route. */
export function formatRoutes(routes: readonly RouteDescription[]): string {
  const rows = routes.map((route) => [
    route.method,
    route.path,
    route.needs,
    route.roles.join(' or ') || '-',
    route.acr ?? '-',
    route.maxAge ?? '-',
    route.once ? 'once' : '-',
    [...route.notes, ...(route.locations ? [`from ${route.locations.join(', ')}`] : [])].join(', ') || '-',
    route.handler ?? '-',
  ]);
  return formatTable([HEAD, ...rows])
    .map((line) => `${line}\n`)
    .join('');
}
