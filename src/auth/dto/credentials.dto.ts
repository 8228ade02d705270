import { applyDecorators } from '@nestjs/common';
import { IsNotEmpty, IsString, Matches, MaxLength, MinLength } from 'class-validator';
import { ApiProperty } from '@nestjs/swagger';
import { LONGEST_PASSWORD, SHORTEST_PASSWORD } from '../../passwords/password-policy.js';
import { USERNAME } from '../../users/user-store.js';
import { LowerCased } from './lower-cased.decorator.js';

/** The application may ask for more characters; what else it asks, only its `PasswordPolicy` knows. */
const NEW_PASSWORD = {
  minLength: SHORTEST_PASSWORD,
  maxLength: LONGEST_PASSWORD,
  description: 'Must not be a common password, nor consist of the username or the name of the service.',
};

/** Text that is no Unicode (a lone surrogate) has no bytes to hash: several such passwords would be one. */
function IsWellFormed(): PropertyDecorator {
  return Matches(/^\P{Surrogate}*$/u, { message: '$property must be well-formed Unicode' });
}

function IsNewPassword(): PropertyDecorator {
  return applyDecorators(
    IsString(),
    IsWellFormed(),
    MinLength(SHORTEST_PASSWORD),
    MaxLength(LONGEST_PASSWORD),
  );
}

export class RegisterDto {
  @ApiProperty({
    example: 'cosmo',
    minLength: 3,
    maxLength: 32,
    pattern: USERNAME.source,
    description: 'Converted to lower case.',
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

  @ApiProperty({ example: 'space-corgi', maxLength: LONGEST_PASSWORD })
  @MaxLength(LONGEST_PASSWORD)
  @IsNotEmpty()
  @IsString()
  readonly password!: string;
}

export class ReauthenticateDto {
  @ApiProperty({ example: 'space-corgi', maxLength: LONGEST_PASSWORD })
  @MaxLength(LONGEST_PASSWORD)
  @IsNotEmpty()
  @IsString()
  readonly password!: string;
}

export class ChangePasswordDto {
  @ApiProperty({ example: 'space-corgi', maxLength: LONGEST_PASSWORD })
  @MaxLength(LONGEST_PASSWORD)
  @IsNotEmpty()
  @IsString()
  readonly current_password!: string;

  @ApiProperty({ example: 'lunar-dachshund', ...NEW_PASSWORD })
  @IsNewPassword()
  readonly new_password!: string;
}
