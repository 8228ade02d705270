import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsNotEmpty, IsOptional, IsString, Matches, MaxLength, ValidateIf } from 'class-validator';
import { LowerCased } from '../auth/index.js';
import { NewPasswordField, RegisterDto, UsernameField } from '../auth/internals.js';
import { MAX_EMAIL_LENGTH, parseEmail } from '../users/email-address.js';

/** Converts the value with `parseEmail`. An invalid one gets a leading space, so that it never matches. */
function IsEmailAddress(): PropertyDecorator {
  return applyDecorators(
    Transform(({ value }: { value: unknown }) =>
      typeof value === 'string' ? (parseEmail(value) ?? ` ${value}`) : value,
    ),
    Matches(/^\S+@\S+$/, { message: 'email must be one e-mail address like cosmo@example.com' }),
    IsString(),
  );
}

const EMAIL = { example: 'cosmo@example.com', format: 'email', maxLength: MAX_EMAIL_LENGTH };

function TokenField(): PropertyDecorator {
  return applyDecorators(
    ApiProperty({ description: 'From the link of the mail.', maxLength: 2048 }),
    MaxLength(2048),
    IsNotEmpty(),
    IsString(),
  );
}

export class RegisterWithEmailDto extends RegisterDto {
  @ApiPropertyOptional(EMAIL)
  @IsEmailAddress()
  @IsOptional()
  readonly email?: string;
}

export class RegisterByEmailDto {
  @ApiProperty(EMAIL)
  @IsEmailAddress()
  readonly email!: string;

  @NewPasswordField('space-corgi')
  readonly password!: string;
}

export class TokenDto {
  @TokenField()
  readonly token!: string;
}

export class ChangeEmailDto {
  @ApiProperty(EMAIL)
  @IsEmailAddress()
  readonly email!: string;
}

export class VerifyEmailDto {
  @ApiPropertyOptional({ description: 'From the link of the mail.', maxLength: 2048 })
  @MaxLength(2048)
  @IsNotEmpty()
  @IsString()
  @ValidateIf((body: VerifyEmailDto) => body.code === undefined || body.token !== undefined)
  readonly token?: string;

  @ApiPropertyOptional({ example: 'K7QM-2XWR', description: 'From the mail, in place of the token.' })
  @MaxLength(32)
  @IsNotEmpty()
  @IsString()
  @IsOptional()
  readonly code?: string;
}

export class ForgotPasswordDto {
  @ApiProperty({ example: 'cosmo', maxLength: 256, description: 'A username or a proved address.' })
  @LowerCased()
  @MaxLength(256)
  @IsNotEmpty()
  @IsString()
  readonly username!: string;
}

export class ResetPasswordDto extends TokenDto {
  @NewPasswordField('lunar-dachshund')
  readonly new_password!: string;
}

export class RenameDto {
  @UsernameField()
  readonly username!: string;
}
