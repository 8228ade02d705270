import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { Matches } from 'class-validator';
import { parseEmail } from '../users/email-address.js';

/** One address, in the form in which it is kept. */
export function IsEmail(): PropertyDecorator {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? (parseEmail(value) ?? '') : value,
    ),
    Matches(/@/, { message: '$property must be one address, such as cosmo@example.com' }),
  );
}
