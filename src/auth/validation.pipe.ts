import { ValidationPipe, type ValidationError } from '@nestjs/common';
import { type FieldError, validationFailed } from './errors/api-error.js';

/** Members that a DTO does not name are refused, not dropped: a client's typo must not pass as success. */
export function createValidationPipe(): ValidationPipe {
  return new ValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
    exceptionFactory: (errors) => validationFailed(flatten(errors)),
  });
}

/** `amount`, `items.0.name`: the path to each refused member, and why. */
function flatten(errors: ValidationError[], path = ''): FieldError[] {
  return errors.flatMap(({ property, constraints, children = [] }) => {
    const field = path + property;
    const own = constraints ? [{ field, messages: Object.values(constraints) }] : [];
    return [...own, ...flatten(children, `${field}.`)];
  });
}
