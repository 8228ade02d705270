import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';

/**
 * Creates the refusal of a request before it reaches a route, in the shape of every other error: `validation_failed`
 * names the part.
 */
export function malformed(part: string, problem: string): HttpException {
  return refusal(400, 'validation_failed', `${part} ${problem}`, {
    errors: [{ field: part, messages: [problem] }],
  });
}

/** An error answer with a stable `errorCode`. */
export function refusal(
  status: number,
  errorCode: string,
  message: string,
  more: object = {},
): HttpException {
  const body = { statusCode: status, error: STATUS_CODES[status], message, errorCode, ...more };
  return new HttpException(body, status, { errorCode });
}
