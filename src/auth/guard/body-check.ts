import { ValidationPipe } from '@nestjs/common';
import { PARAMTYPES_METADATA, PIPES_METADATA, ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js';
import { RouteParamtypes } from '@nestjs/common/enums/route-paramtypes.enum.js';
import { type ApplicationConfig } from '@nestjs/core';
import { type Handler, methodOf } from './handlers.js';

/** What `@Body` declares of a parameter. */
interface Argument {
  index: number;
  /** The member of the body, or undefined for the whole body. */
  data?: unknown;
  pipes: readonly unknown[];
  schema?: unknown;
}

/**
 * Finds bodies whose DTO a validation pipe cannot see: `import type` compiles, and leaves `Object` of the class, so that
 * nothing is validated. To be called at the end of the start, when the global pipes are known.
 * @throws Error that names the handler and the parameter
 */
export function requireDtos(handlers: readonly Handler[], config: ApplicationConfig): void {
  const validatesAll = config.getGlobalPipes().some(isValidation);
  for (const handler of handlers) {
    if (handler.kind === 'http' && (validatesAll || validates(handler))) requireDto(handler);
  }
}

function requireDto({ metatype, prototype, member, name }: Handler): void {
  const types = Reflect.getMetadata(PARAMTYPES_METADATA, prototype, member) as unknown[] | undefined;
  for (const { index, data, pipes, schema } of bodiesOf(metatype, member)) {
    // A pipe or schema of its own says what the body is.
    if (data !== undefined || schema !== undefined || pipes.length > 0) continue;
    const type = types?.[index];
    if (type !== Object && type !== undefined) continue;
    throw new Error(
      `${name}: @Body() of parameter ${index + 1} has no class to validate (${type === Object ? 'Object' : 'undefined'}). ` +
        'Declare a DTO class and import it by `import`, not `import type`, and not from a file that imports this one; ' +
        'for any other body declare @Body(Unvalidated)',
    );
  }
}

function bodiesOf(controller: Function, member: string): Argument[] {
  const declared = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, member) ?? {}) as Record<
    string,
    Argument
  >;
  return Object.entries(declared)
    .filter(([key]) => key.startsWith(`${RouteParamtypes.BODY}:`))
    .map(([, argument]) => argument);
}

/** By `@UsePipes` of the class or the method. */
function validates({ metatype, prototype, member }: Handler): boolean {
  const targets = [metatype, methodOf(prototype, member)].filter((target) => target !== undefined);
  return targets
    .flatMap((target) => (Reflect.getMetadata(PIPES_METADATA, target) ?? []) as unknown[])
    .some(isValidation);
}

function isValidation(pipe: unknown): boolean {
  if (pipe instanceof ValidationPipe || pipe === ValidationPipe) return true;
  return typeof pipe === 'function' && pipe.prototype instanceof ValidationPipe;
}
