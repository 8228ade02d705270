import { type ArgumentMetadata, type ValidationError, ValidationPipe } from '@nestjs/common';
import { type FieldError, validationFailed } from '../errors/api-error.js';

/** Members that a DTO does not name are refused, not dropped: a client's typo must not pass as success. */
export function createValidationPipe(): ValidationPipe {
  return new StrictValidationPipe({
    transform: true,
    whitelist: true,
    forbidNonWhitelisted: true,
    stopAtFirstError: true,
    exceptionFactory: (errors) => validationFailed(flatten(errors)),
  });
}

/** What the validator takes for known, since every object inherits it. */
class StrictValidationPipe extends ValidationPipe {
  override transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    const inherited =
      metadata.type !== 'custom' && typeof value === 'object' && value !== null
        ? Object.keys(value).filter((key) => key in Object.prototype)
        : [];
    if (inherited.length === 0) return super.transform(value, metadata);
    const errors = inherited.map((field) => ({ field, messages: [`property ${field} should not exist`] }));
    return Promise.reject(validationFailed(errors));
  }
}

/** `amount`, `items.0.name`: the path to each refused member, and why. */
function flatten(errors: ValidationError[], path = ''): FieldError[] {
  return errors.flatMap(({ property, constraints, children = [] }) => {
    const field = path + property;
    const own = constraints ? [{ field, messages: Object.values(constraints) }] : [];
    return [...own, ...flatten(children, `${field}.`)];
  });
}
