import { type OpenAPIObject } from '@nestjs/swagger';
import { formatDuration } from '../time/duration.js';
import { type Acr, ACRS, reaches } from '../tokens/proof.js';
import { type TokenKind } from '../tokens/token-claims.js';
import { type AuthOptions, type TokenLocation } from '../auth/index.js';
import { type Route, type AuthPolicy, DEFAULT_POLICY, KINDS_OF } from '../auth/internals.js';
import { type Operation } from './operation.js';
import { addErrors } from './refusals.js';

/**
 * Adds the requirements of a route to its operation, in words and as security schemes, and the refusals.
 * @param route without it, the default policy of the guard
 * @returns the security schemes that the operation refers to
 */
export function describeProtection(
  operation: Operation,
  method: string,
  { policy, roles }: Pick<Route, 'policy' | 'roles'> = UNDECLARED,
  options: AuthOptions,
): Schemes {
  const { schemes, security } = securityOf(policy, options);
  operation.security = security;
  if (policy.level !== 'public') {
    const requirement = describeRequirement(policy, roles, options);
    operation.description = [operation.description, requirement].filter(Boolean).join(' ');
  }
  addErrors(operation, { method, policy, roles, security }, options);
  return schemes;
}

const UNDECLARED: Pick<Route, 'policy' | 'roles'> = { policy: DEFAULT_POLICY, roles: [] };

const REQUIREMENTS: Record<Exclude<AuthPolicy['level'], 'public' | 'fresh-access'>, string> = {
  access: 'Requires an access token.',
  'optional-access': 'An access token is optional.',
  refresh: 'Requires the current refresh token of a session.',
  'access-or-refresh': 'Requires an access token or a refresh token.',
};

function describeRequirement(
  policy: Exclude<AuthPolicy, { level: 'public' }>,
  roles: readonly string[],
  { freshMaxAge }: AuthOptions,
): string {
  const role = roles.length === 0 ? [] : [`The token must have the role ${roles.join(' or ')}.`];
  const level =
    'acr' in policy && policy.acr !== undefined
      ? [`The authentication level (\`acr\`) must be ${atLeast(policy.acr)}.`]
      : [];
  if (policy.level !== 'fresh-access') return [REQUIREMENTS[policy.level], ...level, ...role].join(' ');
  const age = formatDuration(policy.maxAge ?? freshMaxAge);
  const once = policy.once ? ['A success uses the token up.'] : [];
  return [`Requires a fresh access token: its proof is at most ${age} old.`, ...level, ...once, ...role].join(
    ' ',
  );
}

/** `mfa` or `phr`. */
function atLeast(acr: Acr): string {
  return ACRS.filter((each) => reaches(each, acr))
    .map((each) => `\`${each}\``)
    .join(' or ');
}

type Schemes = NonNullable<NonNullable<OpenAPIObject['components']>['securitySchemes']>;

/** Any one of the locations suffices. OpenAPI cannot express a token in a body. */
function securityOf(policy: AuthPolicy, options: AuthOptions) {
  const security: Record<string, string[]>[] = policy.level === 'optional-access' ? [{}] : [];
  const schemes: Schemes = {};
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
): Schemes[string] | undefined {
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
