import { type ErrorResponse } from '../auth/internals.js';

/** The members of an OpenAPI operation that protection and errors need. */
export interface Operation {
  operationId: string;
  security?: Record<string, string[]>[];
  description?: string;
  requestBody?: { content?: Record<string, { schema?: object }> };
  responses: Record<string, ErrorResponse>;
  [extension: `x-${string}`]: unknown;
}
