import { applyDecorators } from '@nestjs/common';
import { Transform } from 'class-transformer';
import { IsNotEmpty, IsString, Matches, MaxLength, MinLength } from 'class-validator';
import { ApiProperty } from '@nestjs/swagger';
import { normalise } from '../../passwords/password-hasher.js';
import { MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH } from '../../passwords/password-policy.js';
import { USERNAME } from '../../users/user-store.js';
import { LowerCased } from './lower-cased.decorator.js';

/** The application may ask for more characters; what else it asks, only its `PasswordPolicy` knows. */
const NEW_PASSWORD = {
  minLength: MIN_PASSWORD_LENGTH,
  maxLength: MAX_PASSWORD_LENGTH,
  description: 'Must not be a common password, nor consist of the username or the name of the service.',
};

/** Text that is no Unicode (a lone surrogate) has no bytes to hash: several such passwords would be one. */
function IsWellFormed(): PropertyDecorator {
  return Matches(/^\P{Surrogate}*$/u, { message: '$property must be well-formed Unicode' });
}

/**
 * Its length is that of what is hashed. Otherwise a password that one keyboard composes and another does not would be
 * accepted at registration and refused at login.
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

export class RegisterDto {
  @ApiProperty({
    example: 'cosmo',
    minLength: 3,
    maxLength: 32,
    pattern: USERNAME.source,
    description: 'Spaces around it are dropped, and A to Z are converted to lower case.',
  })
  @LowerCased()
  @Matches(USERNAME, { message: 'username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen' })
  @IsString()
  readonly username!: string;

  @ApiProperty({ example: 'space-corgi', ...NEW_PASSWORD })
  @IsNewPassword()
  readonly password!: string;
}

/** What an operator sets obeys the same rules. */
export class NewPasswordDto {
  @IsNewPassword()
  readonly password!: string;
}

/** Looser than registration: a name that cannot exist is answered as a wrong password, not as a bad request. */
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
  @IsPassword()
  readonly password!: string;
}

export class ChangePasswordDto {
  @ApiProperty({ example: 'space-corgi', maxLength: MAX_PASSWORD_LENGTH })
  @IsPassword()
  readonly current_password!: string;

  @ApiProperty({ example: 'lunar-dachshund', ...NEW_PASSWORD })
  @IsNewPassword()
  readonly new_password!: string;
}
