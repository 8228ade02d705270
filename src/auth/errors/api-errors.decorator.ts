import { applyDecorators } from '@nestjs/common';
import { ApiExtraModels, ApiResponse, getSchemaPath } from '@nestjs/swagger';
import { STATUS_CODES } from 'node:http';
import { ErrorDto } from './error.dto.js';
import { descriptionOf, type ErrorCode, type ErrorCodes } from './error-codes.js';

type CodeOf<Status> = {
  [Code in ErrorCode]: Status extends ErrorCodes[Code] ? Code : never;
}[ErrorCode];

/** Error codes by status; the compiler refuses a code that has another status. */
export type ErrorsByStatus = {
  readonly [Status in ErrorCodes[ErrorCode]]?: CodeOf<Status> | readonly CodeOf<Status>[];
};

/** A response of an OpenAPI document, as far as errors are concerned. */
export interface ErrorResponse {
  description: string;
  headers?: object;
  content?: Record<string, { schema: object }>;
}

/**
 * Documents the error codes that a handler answers beside those of the guard:
 * `@ApiErrors({ 404: 'not_found', 409: 'username_taken' })`.
 */
export function ApiErrors(codes: ErrorsByStatus): ClassDecorator & MethodDecorator {
  return applyDecorators(
    ApiExtraModels(ErrorDto),
    ...Object.entries(codes).map(([status, code]) =>
      ApiResponse({ status: Number(status), ...errorResponse(Number(status), [code].flat()) }),
    ),
  );
}

/** The response with which a status answers any of these codes. */
export function errorResponse(
  status: number,
  codes: readonly string[],
): Required<Omit<ErrorResponse, 'headers'>> {
  const lines = codes.map((code) => [`\`${code}\``, descriptionOf(code)].filter(Boolean).join(': '));
  const schema = {
    allOf: [
      { $ref: getSchemaPath(ErrorDto) },
      {
        type: 'object',
        properties: {
          statusCode: { type: 'integer', enum: [status] },
          error: { type: 'string', enum: [STATUS_CODES[status]] },
          errorCode: { type: 'string', enum: [...codes] },
        },
      },
    ],
  };
  return {
    description: lines.length === 1 ? `${lines[0]}` : lines.map((line) => `- ${line}`).join('\n'),
    content: { 'application/json': { schema } },
  };
}

/** The codes of a response that `errorResponse` made; undefined for any other response. */
export function errorCodesOf(response: ErrorResponse): readonly string[] | undefined {
  const schema: { allOf?: { properties?: { errorCode?: { enum?: string[] } } }[] } | undefined =
    response.content?.['application/json']?.schema;
  return schema?.allOf?.[1]?.properties?.errorCode?.enum;
}
