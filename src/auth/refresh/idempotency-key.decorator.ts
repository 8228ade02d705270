import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type AuthRequest, requestOf } from '../request/auth-request.js';
import { validationFailed } from '../errors/api-error.js';

const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/;

/**
 * The `Idempotency-Key` header: the client's own name for this attempt, or null. Two headers arrive joined by a comma and a
 * space, which is not a valid key.
 * @throws ApiError `validation_failed`
 */
export const IdempotencyKey = createParamDecorator((_: undefined, context: ExecutionContext): string | null =>
  idempotencyKeyOf(requestOf(context)),
);

/** @throws ApiError `validation_failed` */
export function idempotencyKeyOf({ headers }: AuthRequest): string | null {
  const key = headers['idempotency-key'];
  if (key === undefined) return null;
  if (typeof key === 'string' && VISIBLE_ASCII.test(key)) return key;
  throw validationFailed([
    { field: 'Idempotency-Key', messages: ['must be 1 to 255 visible ASCII characters'] },
  ]);
}
