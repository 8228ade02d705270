import { type Type } from '@nestjs/common';
import { getSchemaPath } from '@nestjs/swagger';
import { errorCodesOf, errorResponse, type Factor, FACTORS, type TakenFactors } from '../auth/internals.js';
import { type Operation } from './operation.js';

/** Adds the members and the refusals of second factors to the routes that take them. */
export function addFactors(operation: Operation, factors: readonly Factor[]): void {
  const taken = operation[FACTORS] as TakenFactors | undefined;
  // Internal: it marks the handlers.
  delete operation[FACTORS];
  const json = operation.requestBody?.content?.['application/json'];
  const bodies = factors.flatMap(({ body }) => body ?? []);
  if (!taken || !json?.schema) return;
  if (bodies.length > 0) json.schema = { allOf: [json.schema, ...bodies.map(schemaOf)] };
  const instead = taken.insteadOfPassword
    ? factors.flatMap(({ insteadOfPassword }) => insteadOfPassword?.body ?? [])
    : [];
  if (instead.length > 0) json.schema = { oneOf: [json.schema, ...instead.map(schemaOf)] };
  const refused = operation.responses[401];
  const codes = [
    ...((refused && errorCodesOf(refused)) ?? []),
    ...factors.flatMap(({ refusal }) => refusal ?? []),
  ];
  if (codes.length > 0) operation.responses[401] = { ...refused, ...errorResponse(401, codes) };
}

function schemaOf(body: Type<object>) {
  return { $ref: getSchemaPath(body) };
}
