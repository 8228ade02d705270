import { expect } from '@jest/globals';
import { STATUS_CODES } from 'node:http';
import { type Response } from 'supertest';
import { type ErrorCode } from '../../src/auth/index.js';

/** The shape that every error answer has; returns the message for further looks. */
export function expectError(response: Response, status: number, errorCode: ErrorCode): string {
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
