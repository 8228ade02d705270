import { type OpenAPIObject } from '@nestjs/swagger';
import { errorCodesOf, type ErrorResponse } from '../../src/auth/errors/api-errors.decorator.js';

/** `POST /auth/login` → `401 invalid_credentials`, …: every error that the OpenAPI document lists, by route. */
export function documentedErrors({ paths }: OpenAPIObject): Map<string, ReadonlySet<string>> {
  type Operations = Record<string, { responses: Record<string, ErrorResponse> }>;
  return new Map(
    Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item as unknown as Operations).map(([method, { responses }]) => [
        `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
        new Set(
          Object.entries(responses).flatMap(([status, response]) =>
            (errorCodesOf(response) ?? []).map((code) => `${status} ${code}`),
          ),
        ),
      ]),
    ),
  );
}
