import { type INestApplication } from '@nestjs/common';
import type { OpenAPIObject } from '@nestjs/swagger';
import { formatDuration } from '../../time/duration.js';
import { requireSaid } from '../../openapi/decorators.js';
import { type TokenKind } from '../../tokens/token-claims.js';
import { type TokenErrorCode } from '../../tokens/token.errors.js';
import { tokenChallenge } from '../errors/challenge.js';
import { AuthOptions } from '../options/auth-options.js';
import { type AuthPolicy, DEFAULT_POLICY, KINDS_OF } from '../request/auth-policy.js';
import { type TokenLocation } from '../request/presented-token.js';
import { listRoutes, type Route } from './routes.js';

interface Answer {
  description?: string;
  headers?: object;
  content?: object;
}

interface Operation {
  operationId?: string;
  security?: Record<string, string[]>[];
  description?: string;
  responses: Record<string, Answer>;
}

/**
 * What every operation needs, and how it refuses, from the same decorators that the guard reads: the document cannot
 * drift. Also the body of every error that is documented, which is always the same.
 * @throws Error where the document was not made with what `loadSwagger` gives
 */
export function describeProtection(app: INestApplication, document: OpenAPIObject): OpenAPIObject {
  requireSaid();
  const options = app.get(AuthOptions, { strict: false });
  const components = (document.components ??= {});
  components.schemas = { ...components.schemas, ErrorAnswer: ERROR };
  const routes = listRoutes(app);
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
      const { policy, roles } = routeOf(operation, method, path, routes) ?? UNKNOWN;
      const { schemes, security } = securityOf(policy, options);
      operation.security = security;
      components.securitySchemes = { ...components.securitySchemes, ...schemes };
      const { responses } = operation;
      if (policy.level !== 'public') {
        const need = describeRequirement(policy, roles, options);
        operation.description = [operation.description, need].filter(Boolean).join(' ');
        responses['401'] = mergeResponses(responses['401'], unauthorized(policy, options));
      }
      const refusals = [...needsRole(roles), ...needsOrigin(security, method, options)];
      if (refusals.length > 0)
        responses['403'] = mergeResponses(responses['403'], forbidden(refusals, roles.length > 0));
      for (const [status, answer] of Object.entries(responses))
        if (Number(status) >= 400) answer.content ??= ERROR_CONTENT;
    }
  }
  return document;
}

/** What the guard asks where nothing is declared. */
const UNKNOWN: Pick<Route, 'policy' | 'roles'> = { policy: DEFAULT_POLICY, roles: [] };

/**
 * By the name of the handler, whatever prefix, version or method it is served with: `TransfersController_create`, and for
 * one of several paths or methods `…_create[0]`, `…_create_get`. By its path where the team gave it another name.
 */
function routeOf(
  { operationId = '' }: Operation,
  method: string,
  path: string,
  routes: readonly Route[],
): Route | undefined {
  const name = `${operationId.replace(/\[\d+\]/, '')}_`;
  const named = routes.filter(({ handler }) => name.startsWith(`${handler.replace('.', '_')}_`));
  return (
    named.toSorted((a, b) => b.handler.length - a.handler.length)[0] ??
    routes.find(
      (route) => route.method.toLowerCase() === method && route.path.replace(/:(\w+)/g, '{$1}') === path,
    )
  );
}

/** What the handler says itself of a status, and what the guard adds. */
function mergeResponses(own: Answer | undefined, ours: Answer): Answer {
  if (!own) return ours;
  const description = [own.description, ours.description].filter(Boolean).join(', ');
  return { ...own, description, headers: { ...own.headers, ...ours.headers } };
}

const ERROR_CONTENT = { 'application/json': { schema: { $ref: '#/components/schemas/ErrorAnswer' } } };

const text = (description: string) => ({ type: 'string' as const, description });
const ERROR = {
  type: 'object' as const,
  required: ['statusCode', 'error', 'message', 'errorCode'],
  properties: {
    statusCode: { type: 'integer' as const },
    error: text('The reason phrase of the status.'),
    message: text('For people; may change.'),
    errorCode: text('For programs; what it says here stays.'),
    errors: {
      type: 'array' as const,
      description: 'With `validation_failed`: every field that was refused.',
      items: {
        type: 'object' as const,
        properties: {
          field: { type: 'string' as const },
          messages: { type: 'array' as const, items: { type: 'string' as const } },
        },
      },
    },
  },
};

const NEEDS: Record<Exclude<AuthPolicy['level'], 'public' | 'fresh-access'>, string> = {
  access: 'Needs an access token.',
  'optional-access': 'Takes an access token, and goes without.',
  refresh: 'Needs the live refresh token of a session.',
  'access-or-refresh': 'Needs an access or a refresh token.',
};

function describeRequirement(
  policy: Exclude<AuthPolicy, { level: 'public' }>,
  roles: readonly string[],
  { freshMaxAge }: AuthOptions,
): string {
  const role = roles.length === 0 ? '' : ` It must have the role ${roles.join(' or ')}.`;
  if (policy.level !== 'fresh-access') return NEEDS[policy.level] + role;
  const age = formatDuration(policy.maxAge ?? freshMaxAge);
  const once = policy.once ? ' A success spends it.' : '';
  return `Needs a fresh access token: its password proof is at most ${age} old.${once}${role}`;
}

type Schemes = NonNullable<OpenAPIObject['components']>['securitySchemes'];

/** Any one of the locations suffices. OpenAPI has no words for a token in a body. */
function securityOf(policy: AuthPolicy, options: AuthOptions) {
  const security: Record<string, string[]>[] = policy.level === 'optional-access' ? [{}] : [];
  const schemes: NonNullable<Schemes> = {};
  if (policy.level === 'public') return { security, schemes };
  for (const kind of KINDS_OF[policy.level]) {
    for (const location of policy.locations ?? options.locations.order) {
      const scheme = schemeOf(kind, location, options);
      if (!scheme) continue;
      const name = location === 'header' ? `${kind}_token` : `${kind}_token_${location}`;
      schemes[name] = scheme;
      security.push({ [name]: [] });
    }
  }
  return { security, schemes };
}

function schemeOf(
  kind: TokenKind,
  location: TokenLocation,
  { locations, cookies }: AuthOptions,
): NonNullable<Schemes>[string] | undefined {
  const { headerName, headerScheme } = locations;
  switch (location) {
    case 'header':
      return headerName.toLowerCase() === 'authorization' && headerScheme !== ''
        ? { type: 'http', scheme: headerScheme.toLowerCase(), bearerFormat: 'JWT' }
        : { type: 'apiKey', in: 'header', name: headerName, description: `${headerScheme} TOKEN`.trim() };
    case 'cookie':
      return { type: 'apiKey', in: 'cookie', name: cookies[`${kind}Name`] };
    case 'query':
      return { type: 'apiKey', in: 'query', name: locations[`${kind}Name`] };
    case 'body':
      return undefined;
  }
}

function unauthorized(policy: AuthPolicy, { freshMaxAge, locations }: AuthOptions): Answer {
  const { level } = policy;
  const either = level === 'access-or-refresh';
  const allowRevoked = either && policy.allowRevoked;
  const evenIfRevoked = allowRevoked || ('skipRevocationCheck' in policy && policy.skipRevocationCheck);
  const possible: [TokenErrorCode, boolean | undefined][] = [
    ['token_missing', level !== 'optional-access'],
    ['token_invalid', true],
    ['token_expired', !allowRevoked],
    ['token_wrong_type', !either],
    ['token_revoked', !evenIfRevoked],
    ['fresh_token_required', level === 'fresh-access'],
    ['refresh_token_reused', level === 'refresh'],
  ];
  const codes = possible.filter(([, is]) => is).map(([code]) => code);
  const maxAge = (level === 'fresh-access' ? (policy.maxAge ?? freshMaxAge) : 0) / 1000;
  const examples = Object.fromEntries(
    codes.map((code) => [code, { value: tokenChallenge(code, maxAge, locations.headerScheme || undefined) }]),
  );
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    headers: {
      'WWW-Authenticate': { description: 'RFC 6750, RFC 9470', schema: { type: 'string' }, examples },
    },
  };
}

function needsRole(roles: readonly string[]): string[] {
  const names = roles.map((role) => `\`${role}\``).join(' or ');
  return roles.length > 0 ? [`\`insufficient_role\`: needs the role ${names}`] : [];
}

function needsOrigin(security: object[], method: string, { csrf }: AuthOptions): string[] {
  const byCookie = security.some((each) => Object.keys(each).some((name) => name.endsWith('_cookie')));
  if (!byCookie || !csrf.methods.some((each) => each.toLowerCase() === method)) return [];
  return [
    `\`csrf_failed\`: a token from a cookie needs our own origin, a trusted one, or \`${csrf.headerName}\``,
  ];
}

function forbidden(reasons: string[], challenged: boolean): Answer {
  const headers = { 'WWW-Authenticate': { description: 'RFC 6750', schema: { type: 'string' } } };
  return { description: reasons.join('; '), ...(challenged ? { headers } : {}) };
}
