import { describe, expect, it } from '@jest/globals';
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { type IncomingHttpHeaders } from 'node:http';
import { ApiError } from '../errors/api-error.js';
import { IdempotencyKey } from './idempotency-key.decorator.js';

class Probe {
  handler(@IdempotencyKey() key: string | null): string | null {
    return key;
  }
}

type Factory = (data: undefined, context: ExecutionContextHost) => string | null;
const [parameter] = Object.values(
  Reflect.getMetadata(ROUTE_ARGS_METADATA, Probe, 'handler') as Record<string, { factory: Factory }>,
);

/** What the handler is given for a request with these headers. */
const given = (headers: IncomingHttpHeaders) =>
  parameter!.factory(undefined, new ExecutionContextHost([{ headers }]));
const keyOf = (key: string | string[]) => given({ 'idempotency-key': key });

function refusal(key: string | string[]): unknown {
  try {
    return keyOf(key);
  } catch (error) {
    if (error instanceof ApiError) return error.getResponse();
    throw error;
  }
}

describe('@IdempotencyKey', () => {
  it('gives null where none was sent', () => {
    expect(given({})).toBeNull();
  });

  it.each([
    ['one character', '!'],
    ['a UUID', '0198c5a0-2f6e-7c3b-9d5c-6d1f5f2b7a10'],
    ['255 characters', 'x'.repeat(255)],
    ['a quoted one', '"8e03978e"'],
    ['every visible character', Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i)).join('')],
  ])('gives the key as it was sent: %s', (_, key) => {
    expect(keyOf(key)).toBe(key);
  });

  it.each<[string, string | string[]]>([
    ['an empty one', ''],
    ['256 characters', 'x'.repeat(256)],
    ['a space within', 'a b'],
    ['a space behind', 'a '],
    ['a tab', 'a\tb'],
    ['a line feed behind', 'a\n'],
    ['a NUL', 'a\0'],
    ['a DEL', 'a\x7f'],
    ['a letter beyond ASCII', 'é'],
    ['two headers, as Node joins them', 'a, b'],
    ['a list of headers', ['a', 'b']],
    ['a list of one', ['a']],
  ])('refuses %s', (_, key) => {
    const message = 'must be 1 to 255 visible ASCII characters';
    expect(refusal(key)).toEqual({
      statusCode: 400,
      error: 'Bad Request',
      message: `Idempotency-Key ${message}`,
      errorCode: 'validation_failed',
      errors: [{ field: 'Idempotency-Key', messages: [message] }],
    });
  });
});
