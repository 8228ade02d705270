import { HttpException } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { type ChallengeParameters } from './challenge.js';
import { type ErrorCode, type ErrorCodes } from './error-codes.js';

export interface FieldError {
  field: string;
  messages: string[];
}

interface ApiErrorOptions {
  /** For the log with the request id; never sent. */
  reason?: string;
  /** Seconds. */
  retryAfter?: number;
  /** Sent as `WWW-Authenticate: Bearer …`, if a 403 says which token is needed (RFC 6750 §3.1). */
  challenge?: ChallengeParameters;
  /** More headers of the answer. */
  headers?: Readonly<Record<string, string>>;
  /** With `validation_failed`: every field that was refused, and why. */
  errors?: FieldError[];
  /** More members of the body. */
  members?: Readonly<Record<string, unknown>>;
  cause?: unknown;
}

/**
 * An error answer with a stable `errorCode`, one of `ErrorCodes` with one of its statuses:
 * `throw new ApiError(404, 'not_found', 'There is no such session')`. Features add codes of their own to `ErrorCodes`.
 */
export class ApiError<Code extends ErrorCode = ErrorCode> extends HttpException {
  readonly reason: string | undefined;
  readonly retryAfter: number | undefined;
  readonly challenge: ChallengeParameters | undefined;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: ErrorCodes[Code], errorCode: Code, message: string, options: ApiErrorOptions = {}) {
    const { reason, retryAfter, challenge, headers = {}, errors, members, cause } = options;
    super(
      {
        ...members,
        statusCode: status,
        error: STATUS_CODES[status],
        message,
        errorCode,
        ...(errors ? { errors } : {}),
      },
      status,
      { errorCode, cause },
    );
    this.reason = reason;
    this.retryAfter = retryAfter;
    this.challenge = challenge;
    this.headers = headers;
  }
}

/** A body with thousands of wrong members must not get an answer of thousands of lines. */
const MAX_FIELD_ERRORS = 20;

export function validationFailed(errors: FieldError[]): ApiError {
  const named = errors.slice(0, MAX_FIELD_ERRORS);
  const sentences = named.flatMap(({ field, messages }) =>
    messages.map((message) => (message.startsWith(field) ? message : `${field} ${message}`)),
  );
  return new ApiError(400, 'validation_failed', sentences.join('; '), { errors: named });
}
