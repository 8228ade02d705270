import { expect } from '@jest/globals';
import { STATUS_CODES } from 'node:http';
import { type Response } from 'supertest';

/** The shape that every error answer has; returns the message for further looks. */
export function expectError(response: Response, status: number, errorCode: string): string {
  const body = response.body as { message: string };
  expect({ status: response.status, ...response.body }).toMatchObject({
    status,
    statusCode: status,
    error: STATUS_CODES[status],
    errorCode,
    message: expect.any(String),
  });
  expect(response.headers['x-request-id']).toMatch(/^[\w.-]{1,64}$/);
  // RFC 6750 §3.1: of the refusals with 403, the one that another token would mend.
  expect('www-authenticate' in response.headers).toBe(status === 401 || errorCode === 'insufficient_role');
  return body.message;
}

/** The parameters of a Bearer challenge, by a strict reading of RFC 9110 §11.2. */
export function parseChallenge(response: Response): Record<string, string> {
  const header = String(response.headers['www-authenticate']);
  const match = /^Bearer(?: (.+))?$/.exec(header);
  if (!match) throw new Error(`not one Bearer challenge: ${header}`);
  const parameter = /([a-z_]+)="((?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*)"(?:, |$)/gy;
  const found = [...(match[1] ?? '').matchAll(parameter)];
  if (found.map(([text]) => text).join('') !== (match[1] ?? ''))
    throw new Error(`malformed challenge: ${header}`);
  return Object.fromEntries(found.map(([, name, value]) => [name, value?.replace(/\\(.)/g, '$1')]));
}

/** A 401 that asks for a fresh token, with the age that the password proof may have (RFC 9470 §3). */
export function expectStepUp(response: Response, maxAgeSeconds: number): void {
  expectError(response, 401, 'fresh_token_required');
  expect(parseChallenge(response)).toEqual({
    error: 'insufficient_user_authentication',
    error_description: 'Fresh token required',
    max_age: String(maxAgeSeconds),
  });
}
