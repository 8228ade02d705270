/**
 * Every `errorCode` that the server answers by itself, with its statuses and when it is sent. The one source for the
 * compiler, the OpenAPI document and docs/errors.md. A feature adds its own codes to `ErrorCodes`.
 */
export const ERROR_CODES = {
  token_missing: { statuses: [401], description: 'No token was sent, or another scheme than `Bearer`.' },
  token_invalid: {
    statuses: [401],
    description: 'The token is malformed, forged or not meant for this API.',
  },
  token_expired: { statuses: [401], description: 'The token has expired.' },
  token_wrong_type: {
    statuses: [401],
    description: 'A refresh token was sent in place of an access token, or the reverse.',
  },
  token_revoked: { statuses: [401], description: 'The session of the token has been revoked.' },
  refresh_token_reused: {
    statuses: [401],
    description: 'The refresh token has been used before; its session has been revoked.',
  },
  fresh_token_required: {
    statuses: [401],
    description: 'The route requires a more recent or stronger proof: reauthenticate and repeat the request.',
  },
  invalid_credentials: { statuses: [401], description: 'Wrong username or password.' },
  validation_failed: {
    statuses: [400],
    description: 'The request is malformed, or a member is missing, wrong or unknown.',
  },
  idempotency_key_reused: {
    statuses: [400, 422],
    description: 'The `Idempotency-Key` belongs to an earlier request; nothing was changed.',
  },
  csrf_failed: {
    statuses: [403],
    description: 'The token came in a cookie, and the request may come from another site.',
  },
  registration_closed: { statuses: [403], description: 'The server accepts no registrations.' },
  insufficient_role: {
    statuses: [403],
    description: 'The token has none of the roles that the route requires.',
  },
  not_found: { statuses: [404], description: 'No such resource, or it belongs to another user.' },
  request_timeout: { statuses: [408], description: 'The request did not arrive in time.' },
  username_taken: { statuses: [409], description: 'Another account has this username.' },
  role_not_granted: { statuses: [409], description: 'The user does not have the role to be removed.' },
  changed_meanwhile: { statuses: [409], description: 'Other requests keep changing the same account.' },
  last_admin: { statuses: [409], description: 'The last administrator cannot lose the role or the account.' },
  payload_too_large: { statuses: [413], description: 'The body is too large.' },
  unsupported_media_type: { statuses: [415], description: 'The body is not `application/json`.' },
  range_not_satisfiable: { statuses: [416], description: 'The file has no such range.' },
  rate_limited: { statuses: [429], description: 'Too many attempts: wait as long as `Retry-After` says.' },
  request_header_fields_too_large: { statuses: [431], description: 'The request headers are too large.' },
  internal_error: { statuses: [500], description: 'An unexpected error of the server.' },
  overloaded: { statuses: [503], description: 'The server is overloaded or shutting down: try again later.' },
  database_unavailable: { statuses: [503], description: 'The database cannot be reached: try again later.' },
  revocation_feed_lost: {
    statuses: [503],
    description: 'The server cannot tell which sessions have been revoked: try again later.',
  },
} as const satisfies Record<string, { statuses: readonly number[]; description: string }>;

type CoreErrorCodes = {
  [Code in keyof typeof ERROR_CODES]: (typeof ERROR_CODES)[Code]['statuses'][number];
};

/**
 * Error code → its status, or a union of several. A feature declares its own:
 * `declare module '../../auth/index.js' { interface ErrorCodes { sold_out: 409 } }`; an application that uses this as a
 * package declares them in `'freshgate'`.
 */
export interface ErrorCodes extends CoreErrorCodes {}

/** A stable error code that a client may act on. */
export type ErrorCode = keyof ErrorCodes;

/** When a code is sent, for codes of the server itself; features describe theirs where they use them. */
export function descriptionOf(code: string): string | undefined {
  return Object.hasOwn(ERROR_CODES, code)
    ? ERROR_CODES[code as keyof typeof ERROR_CODES].description
    : undefined;
}
