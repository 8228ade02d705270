import { getSchemaPath } from '@nestjs/swagger';
import { errorCodesOf, errorResponse, type Factor, FACTORS } from '../auth/internals.js';
import { type Operation } from './operation.js';

/** Adds the members and the refusals of second factors to the routes that take them. */
export function addFactors(operation: Operation, factors: readonly Factor[]): void {
  const takesFactors = operation[FACTORS] === true;
  // Internal: it marks the handlers.
  delete operation[FACTORS];
  const json = operation.requestBody?.content?.['application/json'];
  const bodies = factors.flatMap(({ body }) => body ?? []);
  if (!takesFactors || bodies.length === 0 || !json?.schema) return;
  json.schema = { allOf: [json.schema, ...bodies.map((body) => ({ $ref: getSchemaPath(body) }))] };
  const refused = operation.responses[401];
  const codes = [
    ...((refused && errorCodesOf(refused)) ?? []),
    ...factors.flatMap(({ refusal }) => refusal ?? []),
  ];
  if (codes.length > 0) operation.responses[401] = { ...refused, ...errorResponse(401, codes) };
}
