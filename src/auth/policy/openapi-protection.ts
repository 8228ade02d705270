import { type INestApplication } from '@nestjs/common';
import { type OpenAPIObject } from '@nestjs/swagger';
import { type TokenKind } from '../../tokens/token-claims.js';
import { AuthOptions, type TokenLocation } from '../options/auth-options.js';
import { type AuthPolicy, KINDS_OF } from './auth-policy.js';
import { listRoutes } from './routes.js';

type Operation = {
  security?: Record<string, string[]>[];
  description?: string;
  responses: Record<string, unknown>;
};

/** The security of every operation, from the same decorators that the guard reads: the document cannot drift. */
export function describeProtection(app: INestApplication, document: OpenAPIObject): OpenAPIObject {
  const options = app.get(AuthOptions, { strict: false });
  for (const { method, path, policy, roles } of listRoutes(app)) {
    const item = document.paths[path.replace(/:(\w+)/g, '{$1}')] as Record<string, Operation> | undefined;
    const operation = item?.[method.toLowerCase()];
    if (!operation) continue;
    const { schemes, security } = securityOf(policy, options);
    operation.security = security;
    document.components = {
      ...document.components,
      securitySchemes: { ...document.components?.securitySchemes, ...schemes },
    };
    if (policy.level !== 'public') operation.responses['401'] ??= unauthorized(policy);
    const refusals = [...needsRole(roles), ...needsOrigin(security, method, options)];
    if (refusals.length > 0) operation.responses['403'] ??= forbidden(refusals, roles.length > 0);
  }
  return document;
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
        : { type: 'apiKey', in: 'header', name: headerName };
    case 'cookie':
      return { type: 'apiKey', in: 'cookie', name: cookies[`${kind}Name`] };
    case 'query':
      return { type: 'apiKey', in: 'query', name: locations[`${kind}Name`] };
    case 'body':
      return undefined;
  }
}

function unauthorized({ level }: AuthPolicy): object {
  const codes = ['token_missing', 'token_invalid', 'token_expired', 'token_wrong_type', 'token_revoked'];
  if (level === 'fresh-access') codes.push('fresh_token_required');
  if (level === 'refresh') codes.push('refresh_token_reused');
  return {
    description: codes.map((code) => `\`${code}\``).join(', '),
    headers: { 'WWW-Authenticate': { description: 'RFC 6750, RFC 9470', schema: { type: 'string' } } },
  };
}

function needsRole(roles: readonly string[]): string[] {
  const names = roles.map((role) => `\`${role}\``).join(' or ');
  return roles.length > 0 ? [`\`insufficient_role\`: needs the role ${names}`] : [];
}

function needsOrigin(security: object[], method: string, { csrf }: AuthOptions): string[] {
  const byCookie = security.some((each) => Object.keys(each).some((name) => name.endsWith('_cookie')));
  if (!byCookie || !csrf.methods.includes(method)) return [];
  return [
    `\`csrf_failed\`: a token from a cookie needs our own origin, a trusted one, or \`${csrf.headerName}\``,
  ];
}

function forbidden(reasons: string[], challenged: boolean): object {
  const headers = { 'WWW-Authenticate': { description: 'RFC 6750', schema: { type: 'string' } } };
  return { description: reasons.join('; '), ...(challenged ? { headers } : {}) };
}
