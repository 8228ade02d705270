import { type Type } from '@nestjs/common';
import { getSchemaPath } from '@nestjs/swagger';
import { FACTORS } from '../auth/internals.js';
import { type Operation } from './operation.js';

/** Adds the members of second factors to the bodies of the routes that take them. */
export function addFactors(operation: Operation, bodies: readonly Type<object>[]): void {
  const takesFactors = operation[FACTORS] === true;
  // Internal: it marks the handlers.
  delete operation[FACTORS];
  const json = operation.requestBody?.content?.['application/json'];
  if (!takesFactors || bodies.length === 0 || !json?.schema) return;
  json.schema = { allOf: [json.schema, ...bodies.map((body) => ({ $ref: getSchemaPath(body) }))] };
}
