import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import {
  IsNotEmpty,
  IsOptional,
  IsString,
  Matches,
  MaxLength,
  registerDecorator,
  type ValidationArguments,
} from 'class-validator';

const OTP = {
  example: '123456',
  pattern: '^\\d{6}$',
  description: 'The code that the authenticator shows now.',
};
const RECOVERY_CODE = {
  example: 'ABCD-EFGH-IJKL-MNOP',
  maxLength: 64,
  description: 'One of the recovery codes, instead of `otp`. Hyphens, spaces and case do not matter.',
};

/** Removes spaces and hyphens, which people copy with a code. */
function Compact(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' ? value.slice(0, 64).replace(/[\s-]/g, '').toUpperCase() : value,
  );
}

function IsOtp(): PropertyDecorator {
  return applyDecorators(Compact(), Matches(/^[0-9]{6}$/, { message: '$property must be 6 digits' }));
}

/** Both at once would be two guesses. Checked with the body: after the password, a 400 would show that it was right. */
function WithoutOtp(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'withoutOtp',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (_: unknown, { object }: ValidationArguments) =>
          ((object as CodesDto).otp ?? null) === null,
        defaultMessage: () => '$property must not be sent beside otp',
      },
    });
}

/** One of these codes proves a second factor. */
export class CodesDto {
  @ApiPropertyOptional(OTP)
  @IsOptional()
  @IsOtp()
  readonly otp?: string;

  @ApiPropertyOptional(RECOVERY_CODE)
  @IsOptional()
  @Compact()
  @Matches(/^[A-Z2-7]{16}$/, { message: '$property must be 16 characters of A-Z and 2-7' })
  @WithoutOtp()
  readonly recovery_code?: string;
}

export class FactorLoginDto extends CodesDto {
  @ApiProperty({ description: 'As the answer `second_factor_required` gave it.', maxLength: 4096 })
  @MaxLength(4096)
  @IsNotEmpty()
  @IsString()
  readonly challenge!: string;
}

export class EnrolOtpDto {
  @ApiPropertyOptional({ example: 'My phone', maxLength: 64, default: 'Authenticator' })
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.trim() : value))
  @IsOptional()
  @Matches(/^\P{C}{1,64}$/u, { message: 'name must be 1 to 64 printable characters' })
  readonly name?: string;
}

export class ConfirmOtpDto {
  @ApiProperty(OTP)
  @IsOtp()
  readonly otp!: string;
}

export class EnrolledOtpDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ description: 'Show it as a QR code. It contains the secret, and is not shown again.' })
  readonly otpauth_uri!: string;

  @ApiProperty({ type: 'integer', description: 'Seconds left to confirm it.', example: 600 })
  readonly expires_in!: number;
}

export class RecoveryCodesDto {
  @ApiProperty({ type: [String], description: 'Ten codes, each for one use. They are not shown again.' })
  readonly recovery_codes!: string[];
}

export class FactorDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ example: 'My phone' })
  readonly name!: string;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readonly last_used_at!: string | null;
}

export class FactorsDto {
  @ApiProperty({ type: [FactorDto] })
  readonly otp!: FactorDto[];

  @ApiProperty({ type: [FactorDto] })
  readonly passkeys!: FactorDto[];

  @ApiProperty({ type: 'integer', example: 10 })
  readonly recovery_codes_left!: number;
}
