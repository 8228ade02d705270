import { type AuthOptions, type ErrorCode, type TokenErrorCode } from '../auth/index.js';
import {
  type Route,
  type AuthPolicy,
  TOKEN_COOKIES,
  errorCodesOf,
  errorResponse,
  type ErrorResponse,
  tokenChallenge,
} from '../auth/internals.js';
import { type Operation } from './operation.js';

const BODILESS: ReadonlySet<string> = new Set(['get', 'head', 'options', 'trace']);

interface Guarded extends Pick<Route, 'method' | 'policy' | 'roles'> {
  security: Record<string, string[]>[];
}

/** Adds the error codes of the server and the guard to those of `@ApiErrors`. */
export function addErrors(operation: Operation, guarded: Guarded, options: AuthOptions): void {
  // Bodies are parsed even if the handler needs none.
  const hasBody = !BODILESS.has(guarded.method.toLowerCase());
  const codes: [status: number, codes: ErrorCode[]][] = [
    [400, ['validation_failed']],
    [401, tokenErrorsOf(guarded.policy)],
    [403, [...roleErrors(guarded.roles), ...csrfErrors(operation, guarded, options)]],
    [413, hasBody ? ['payload_too_large'] : []],
    [415, hasBody ? ['unsupported_media_type'] : []],
    [503, serverErrorsOf(guarded.policy)],
  ];
  // Internal: it marks handlers that set or clear cookies.
  delete operation[TOKEN_COOKIES];
  for (const [status, added] of codes) {
    if (added.length === 0) continue;
    operation.responses[status] = withCodes(operation.responses[status], status, added);
  }
  addHeaders(operation.responses, guarded, options);
}

/** A response that the application documents, such as a health report, keeps its content. */
function withCodes(
  own: ErrorResponse | undefined,
  status: number,
  added: readonly ErrorCode[],
): ErrorResponse {
  const documented = own && errorCodesOf(own);
  if (own && !documented && own.content) return own;
  const response = errorResponse(status, [...new Set([...(documented ?? []), ...added])]);
  if (!own || documented) return { ...own, ...response };
  return {
    ...own,
    ...response,
    description: [own.description, response.description].filter(Boolean).join('\n'),
  };
}

function tokenErrorsOf(policy: AuthPolicy): TokenErrorCode[] {
  if (policy.level === 'public') return [];
  const { level } = policy;
  const either = level === 'access-or-refresh';
  const allowRevoked = either && policy.allowRevoked;
  const skipsRevocation = 'skipRevocationCheck' in policy && policy.skipRevocationCheck === true;
  const possible: [TokenErrorCode, boolean][] = [
    ['token_missing', level !== 'optional-access'],
    ['token_invalid', true],
    ['token_expired', !allowRevoked],
    ['token_wrong_type', !either],
    ['token_revoked', !allowRevoked && !skipsRevocation],
    ['fresh_token_required', level === 'fresh-access' || 'acr' in policy],
    ['refresh_token_reused', level === 'refresh' && policy.rotates],
  ];
  return possible.filter(([, isPossible]) => isPossible).map(([code]) => code);
}

function roleErrors(roles: readonly string[]): ErrorCode[] {
  return roles.length > 0 ? ['insufficient_role'] : [];
}

/** Routes with tokens from cookies, or that set cookies, require a trusted page: browsers send cookies by themselves. */
function csrfErrors(operation: Operation, { method, security }: Guarded, options: AuthOptions): ErrorCode[] {
  const { csrf, locations } = options;
  const reads = security.some((each) => Object.keys(each).some((name) => name.endsWith('_cookie')));
  const writes = operation[TOKEN_COOKIES] === true && locations.order.includes('cookie');
  const checked = csrf.methods.some((each) => each.toLowerCase() === method.toLowerCase());
  return checked && (reads || writes) ? ['csrf_failed'] : [];
}

function serverErrorsOf(policy: AuthPolicy): ErrorCode[] {
  if (policy.level === 'public') return ['overloaded'];
  const { level } = policy;
  const asksFeed =
    ((level === 'access' || level === 'optional-access') && policy.skipRevocationCheck !== true) ||
    (level === 'access-or-refresh' && !policy.allowRevoked);
  return ['overloaded', 'database_unavailable', ...(asksFeed ? (['revocation_feed_lost'] as const) : [])];
}

const text = { type: 'string' };
const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds to wait before the next attempt.', schema: { type: 'integer' } },
};

/** The headers that the error filter sends. */
function addHeaders(
  responses: Operation['responses'],
  { policy, roles }: Guarded,
  options: AuthOptions,
): void {
  const headers: Record<number, object> = {
    401: { 'WWW-Authenticate': challengesOf(responses[401], policy, options) },
    403: roles.length > 0 ? { 'WWW-Authenticate': { description: 'RFC 6750', schema: text } } : {},
    429: RETRY_AFTER,
    503: RETRY_AFTER,
  };
  for (const [status, added] of Object.entries(headers)) {
    const response = responses[status];
    if (response && errorCodesOf(response) && Object.keys(added).length > 0)
      response.headers = { ...response.headers, ...added };
  }
}

function challengesOf(response: ErrorResponse | undefined, policy: AuthPolicy, options: AuthOptions): object {
  const { freshMaxAge, locations } = options;
  const required = {
    maxAge: policy.level === 'fresh-access' ? (policy.maxAge ?? freshMaxAge) : undefined,
    acr: 'acr' in policy ? policy.acr : undefined,
  };
  const scheme = locations.headerScheme || undefined;
  const possible = tokenErrorsOf(policy);
  const examples = ((response && errorCodesOf(response)) ?? []).map((code) => {
    const ofToken = possible.find((each) => each === code);
    // Other codes, such as `invalid_credentials`, have the challenge of a missing token.
    return [code, { value: tokenChallenge(ofToken ?? 'token_missing', required, scheme) }] as const;
  });
  return { description: 'RFC 6750, RFC 9470', schema: text, examples: Object.fromEntries(examples) };
}
