import { describe, expect, it } from '@jest/globals';
import { ApiError } from './api-error.js';
import { ApiErrors } from './api-errors.decorator.js';
import { ERROR_CODES, type ErrorCode } from './error-codes.js';

/* What the compiler must reject: `npm run check:types` fails if one of these compiles. */
export function rejected(): unknown[] {
  // @ts-expect-error -- an unknown code
  const unknown: ErrorCode = 'user_name_taken';
  return [
    unknown,
    // @ts-expect-error -- an unknown code
    new ApiError(409, 'user_name_taken', 'Taken'),
    // @ts-expect-error -- a code with another status
    new ApiError(404, 'username_taken', 'Taken'),
    // @ts-expect-error -- an unknown code
    ApiErrors({ 409: 'user_name_taken' }),
    // @ts-expect-error -- a code with another status
    ApiErrors({ 404: ['not_found', 'username_taken'] }),
  ];
}

describe('ApiError', () => {
  it('takes a code with its status', () => {
    expect(new ApiError(409, 'username_taken', 'Taken').getResponse()).toEqual({
      statusCode: 409,
      error: 'Conflict',
      message: 'Taken',
      errorCode: 'username_taken',
    });
  });
});

describe('ERROR_CODES', () => {
  it('describes every code in a sentence', () => {
    for (const [code, { statuses, description }] of Object.entries(ERROR_CODES)) {
      expect([code, description]).toEqual([code, expect.stringMatching(/^[A-Z].*\.$/)]);
      for (const status of statuses) expect(status).toBeGreaterThanOrEqual(400);
    }
  });
});
