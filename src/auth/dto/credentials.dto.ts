import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsNotEmpty, IsOptional, IsString, Matches, MaxLength, MinLength } from 'class-validator';
import { ApiProperty } from '@nestjs/swagger';
import { normalise } from '../../passwords/password-hasher.js';
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from '../../passwords/password-policy.js';
import { USERNAME } from '../../users/user-store.js';
import { LowerCased } from './lower-cased.decorator.js';

/** The application's `PasswordPolicy` may require more. */
const NEW_PASSWORD = {
  minLength: MIN_PASSWORD_LENGTH,
  maxLength: MAX_PASSWORD_LENGTH,
  description: 'Must not be a common password, nor consist of the username or the name of the service.',
};

/**
 * Refuses text that is not valid Unicode (a lone surrogate): it has no bytes to hash, so several such passwords would
 * be the same.
 */
function IsWellFormed(): PropertyDecorator {
  return Matches(/^\P{Surrogate}*$/u, { message: '$property must be well-formed Unicode' });
}

/**
 * Counts the length after NFC, as it is hashed. Otherwise a password could be accepted from one keyboard and refused
 * from another, which composes letters differently.
 */
function Composed(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? normalise(value) : value));
}

function IsPassword(): PropertyDecorator {
  return applyDecorators(Composed(), IsString(), IsNotEmpty(), MaxLength(MAX_PASSWORD_LENGTH));
}

function IsNewPassword(): PropertyDecorator {
  return applyDecorators(
    Composed(),
    IsString(),
    IsWellFormed(),
    MinLength(MIN_PASSWORD_LENGTH),
    MaxLength(MAX_PASSWORD_LENGTH),
  );
}

/** A new username in a body. */
export function UsernameField(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({
      example: 'cosmo',
      minLength: 3,
      maxLength: 32,
      pattern: USERNAME.source,
      description: 'Spaces around it are dropped, and A to Z are converted to lower case.',
    }),
    LowerCased(),
    Matches(USERNAME, { message: 'username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen' }),
    IsString(),
  );
}

/** A new password in a body. */
export function NewPasswordField(example: string): PropertyDecorator {
  return applyDecorators(ApiProperty({ example, ...NEW_PASSWORD }), IsNewPassword());
}

export class RegisterDto {
  @UsernameField()
  readonly username!: string;

  @NewPasswordField('space-corgi')
  readonly password!: string;
}

/** A password that an operator sets; the same rules apply. */
export class NewPasswordDto {
  @IsNewPassword()
  readonly password!: string;
}

/** Less strict than registration: an impossible name is answered as a wrong password, not as a bad request. */
export class LoginDto {
  @ApiProperty({ example: 'cosmo', maxLength: 256 })
  @LowerCased()
  @MaxLength(256)
  @IsNotEmpty()
  @IsString()
  readonly username!: string;

  @ApiProperty({ example: 'space-corgi', maxLength: MAX_PASSWORD_LENGTH })
  @IsPassword()
  readonly password!: string;
}

export class ReauthenticateDto {
  @ApiProperty({ example: 'space-corgi', maxLength: MAX_PASSWORD_LENGTH })
  // The service requires it, unless a module's factor is presented instead.
  @IsOptional()
  @IsPassword()
  readonly password?: string;
}

export class ChangePasswordDto {
  @ApiProperty({ example: 'space-corgi', maxLength: MAX_PASSWORD_LENGTH })
  @IsPassword()
  readonly current_password!: string;

  @NewPasswordField('lunar-dachshund')
  readonly new_password!: string;
}
