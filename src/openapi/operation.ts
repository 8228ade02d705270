import { type ErrorResponse } from '../auth/internals.js';

/** An operation of an OpenAPI document, as far as protection and errors are concerned. */
export interface Operation {
  operationId: string;
  security?: Record<string, string[]>[];
  description?: string;
  requestBody?: { content?: Record<string, { schema?: object }> };
  responses: Record<string, ErrorResponse>;
  [extension: `x-${string}`]: unknown;
}
