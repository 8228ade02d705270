import assert from 'node:assert/strict';
import { type Response } from 'supertest';
import { type Acr, type ErrorCode } from '../auth/index.js';
import { parseDuration } from '../time/duration.js';

export interface ExpectedChallenge {
  /** The largest age of the proof, as text or in milliseconds, if the route requires a fresh token (RFC 9470). */
  maxAge?: string | number;
  /** The level that the route requires, if it requires one. */
  acr?: Acr;
  /** `error` of the challenge; absent if no token was sent (RFC 6750 §3.1). */
  error?: string;
  /** `errorCode` of the body. */
  errorCode?: ErrorCode;
}

/**
 * Expects a refusal with a challenge in `WWW-Authenticate`: a 401, or a 403 for a missing role. With `maxAge`, a challenge
 * that requires a fresh token.
 * @throws AssertionError that shows the actual answer
 */
export function expectChallenge(response: Response, expected: ExpectedChallenge = {}): void {
  const body = response.body as { errorCode?: string };
  const came = `${response.status} ${JSON.stringify(body)}`;
  assert.ok(response.status === 401 || response.status === 403, `expected a challenge, got ${came}`);
  const parameters = parseChallenge(response);
  const seen = { ...parameters, errorCode: body.errorCode };
  const { maxAge, acr, ...others } = expected;
  const wanted = { ...others, ...(acr === undefined ? {} : { acr_values: acr }) };
  if (maxAge === undefined) return assert.deepEqual({ ...seen, ...wanted }, seen, came);
  const milliseconds = typeof maxAge === 'string' ? parseDuration(maxAge) : maxAge;
  assert.deepEqual(
    seen,
    {
      error: 'insufficient_user_authentication',
      error_description: 'Fresh token required',
      max_age: String(milliseconds / 1000),
      errorCode: 'fresh_token_required',
      ...wanted,
    },
    came,
  );
}

/**
 * Parses the parameters of the only Bearer challenge, strictly by RFC 9110 §11.2.
 * @throws AssertionError if the challenge is missing, malformed or another one
 */
export function parseChallenge(response: Response): Record<string, string> {
  const header = String(response.headers['www-authenticate']);
  const [whole, parameters = ''] = /^Bearer(?: (.+))?$/.exec(header) ?? [];
  assert.ok(whole !== undefined, `not one Bearer challenge: ${header}`);
  const parameter = /([a-z_]+)="((?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*)"(?:, |$)/gy;
  const found = [...parameters.matchAll(parameter)];
  assert.equal(found.map(([text]) => text).join(''), parameters, `malformed challenge: ${header}`);
  return Object.fromEntries(found.map(([, name = '', value = '']) => [name, value.replace(/\\(.)/g, '$1')]));
}
