import { type ArgumentMetadata, type Type, type ValidationError, ValidationPipe } from '@nestjs/common';
import { type FieldError, validationFailed } from '../errors/api-error.js';
import { withoutRefused } from './bounded-body.js';

/** Types of parameters that Nest does not validate. */
const BUILT_IN: ReadonlySet<unknown> = new Set([String, Boolean, Number, Array, Object, Buffer, Date]);

/** Refuses members that a DTO does not name instead of dropping them: a client's typo must not look like success. */
export function createValidationPipe(): ValidationPipe {
  return new StrictValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
    exceptionFactory: (errors) => validationFailed(flatten(errors)),
  });
}

class StrictValidationPipe extends ValidationPipe {
  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type !== 'custom') refuseInherited(value);
    if (isParsedBody(value, metadata) && isDto(metadata.metatype)) {
      const outline = withoutRefused(value, metadata.metatype);
      // Throws, except for rules that accept an object where the type of the member does not.
      if (outline !== value) await super.transform(outline, metadata);
    }
    return super.transform(value, metadata);
  }
}

/** The validator treats inherited members (`constructor`, `toString`) as known. */
function refuseInherited(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  const inherited = Object.keys(value).filter((key) => key in Object.prototype);
  if (inherited.length === 0) return;
  throw validationFailed(
    inherited.map((field) => ({ field, messages: [`property ${field} should not exist`] })),
  );
}

function isParsedBody(value: unknown, { type }: ArgumentMetadata): value is object {
  if (type !== 'body' || typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype;
}

function isDto(metatype: Type | undefined): metatype is Type {
  return metatype !== undefined && !BUILT_IN.has(metatype);
}

/** Lists each refused member by its path (`amount`, `items.0.name`), with the reasons. */
function flatten(errors: ValidationError[], path = ''): FieldError[] {
  return errors.flatMap(({ property, constraints, children = [] }) => {
    const field = path + property;
    const own = constraints ? [{ field, messages: Object.values(constraints) }] : [];
    return [...own, ...flatten(children, `${field}.`)];
  });
}
