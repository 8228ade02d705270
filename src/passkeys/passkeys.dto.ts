import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsNotEmpty, IsObject, IsOptional, IsString, Matches, MaxLength } from 'class-validator';

const NAME = { example: 'My phone', maxLength: 64 };
const TOKEN = { description: 'The `challenge` of the options, as it is.', maxLength: 4096 };
const RESPONSE = {
  type: 'object',
  additionalProperties: true,
  description: 'The `toJSON()` of the credential that the browser returned.',
} as const;

const trimmed = ({ value }: { value: unknown }) => (typeof value === 'string' ? value.trim() : value);
const PRINTABLE = { message: 'name must be 1 to 64 printable characters' };

export class PasskeyLoginDto {
  @ApiProperty(TOKEN)
  @MaxLength(4096)
  @IsNotEmpty()
  @IsString()
  readonly challenge!: string;

  @ApiProperty(RESPONSE)
  @IsObject()
  readonly response!: object;
}

export class RegisterPasskeyDto extends PasskeyLoginDto {
  @ApiPropertyOptional({ ...NAME, default: 'Passkey' })
  @Transform(trimmed)
  @IsOptional()
  @Matches(/^\P{C}{1,64}$/u, PRINTABLE)
  readonly name?: string;
}

export class RenamePasskeyDto {
  @ApiProperty(NAME)
  @Transform(trimmed)
  @Matches(/^\P{C}{1,64}$/u, PRINTABLE)
  readonly name!: string;
}

/** A reauthentication with a passkey instead of a password. */
export class PasskeyProofDto {
  @ApiProperty(TOKEN)
  @MaxLength(4096)
  @IsNotEmpty()
  @IsString()
  readonly challenge!: string;

  @ApiProperty(RESPONSE)
  @IsObject()
  readonly passkey!: object;
}

export class PasskeyDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ example: 'My phone' })
  readonly name!: string;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readonly last_used_at!: string | null;
}

export class CreationOptionsDto {
  @ApiProperty({ description: 'Send it back as it is, within five minutes. It is good for one success.' })
  readonly challenge!: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'For `PublicKeyCredential.parseCreationOptionsFromJSON`.',
  })
  readonly public_key!: object;
}

export class RequestOptionsDto {
  @ApiProperty({ description: 'Send it back as it is, within five minutes. It is good for one success.' })
  readonly challenge!: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: true,
    description: 'For `PublicKeyCredential.parseRequestOptionsFromJSON`.',
  })
  readonly public_key!: object;
}

export class RelatedOriginsDto {
  @ApiProperty({ type: [String], example: ['https://shop.example'] })
  readonly origins!: readonly string[];
}
