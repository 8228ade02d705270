import { type INestApplication } from '@nestjs/common';
import { type OpenAPIObject } from '@nestjs/swagger';
import { type AuthPolicy } from './auth-policy.js';
import { listRoutes } from './routes.js';

type Operation = {
  security?: Record<string, string[]>[];
  description?: string;
  responses: Record<string, unknown>;
};

/** The security of every operation, from the same decorators that the guard reads: the document cannot drift. */
export function describeProtection(app: INestApplication, document: OpenAPIObject): OpenAPIObject {
  for (const { method, path, policy, roles } of listRoutes(app)) {
    const item = document.paths[path.replace(/:(\w+)/g, '{$1}')] as Record<string, Operation> | undefined;
    const operation = item?.[method.toLowerCase()];
    if (!operation) continue;
    operation.security = securityOf(policy);
    if (policy.level !== 'public') operation.responses['401'] ??= unauthorized(policy);
    if (roles.length > 0) operation.responses['403'] ??= forbidden(roles);
  }
  return document;
}

function securityOf({ level }: AuthPolicy): Record<string, string[]>[] {
  switch (level) {
    case 'public':
      return [];
    case 'access':
    case 'fresh-access':
      return [{ access_token: [] }];
    case 'optional-access':
      return [{}, { access_token: [] }];
    case 'refresh':
      return [{ refresh_token: [] }];
    case 'access-or-refresh':
      return [{ access_token: [] }, { refresh_token: [] }];
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

function forbidden(roles: readonly string[]): object {
  const names = roles.map((role) => `\`${role}\``).join(' or ');
  return {
    description: `\`insufficient_role\`: needs the role ${names}`,
    headers: { 'WWW-Authenticate': { description: 'RFC 6750', schema: { type: 'string' } } },
  };
}
