import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsBoolean, IsIn, IsOptional, Matches, ValidateIf } from 'class-validator';
import { LowerCased } from '../../auth/index.js';
import { IsWholeNumber } from '../../config/validators.js';
import { MAX_EMAIL_LENGTH } from '../../users/email-address.js';
import { MAX_ROLES, ROLE, type User, USERNAME } from '../../users/user-store.js';
import { IsEmail } from '../email.decorator.js';

const ROLE_RULE = 'must be 1 to 64 of a-z, 0-9, dot, underscore, colon and hyphen';
/** PostgreSQL refuses text with a NUL. */
const TEXT = /^[^\0]{1,256}$/;

export class ListUsersQuery {
  @ApiPropertyOptional({ description: 'Part of the username or of the proved e-mail address.' })
  @LowerCased()
  @Matches(TEXT, { message: 'query must be 1 to 256 characters' })
  @IsOptional()
  readonly query?: string;

  @ApiPropertyOptional({ description: 'Only users with this role.' })
  @Matches(ROLE, { message: `role ${ROLE_RULE}` })
  @IsOptional()
  readonly role?: string;

  @ApiPropertyOptional({ enum: ['true', 'false'], description: 'Only disabled users, or only the others.' })
  @IsIn(['true', 'false'])
  @IsOptional()
  readonly disabled?: 'true' | 'false';

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 100, default: 20 })
  @IsWholeNumber(1, 100)
  readonly limit: number = 20;

  @ApiPropertyOptional({ description: '`next_cursor` of the previous page.' })
  @Matches(TEXT, { message: 'cursor must be next_cursor of the previous page' })
  @IsOptional()
  readonly cursor?: string;
}

export class CreateUserDto {
  @ApiPropertyOptional({
    example: 'cosmo',
    pattern: USERNAME.source,
    description: 'Without it, the account logs in with its address.',
  })
  @LowerCased()
  @Matches(USERNAME, { message: 'username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen' })
  @ValidateIf((_, value) => value !== undefined)
  readonly username?: string;

  @ApiProperty({ example: 'cosmo@example.com', maxLength: MAX_EMAIL_LENGTH })
  @IsEmail()
  readonly email!: string;

  @ApiPropertyOptional({ type: [String], maxItems: MAX_ROLES })
  @Matches(ROLE, { each: true, message: `each role ${ROLE_RULE}` })
  @ArrayMaxSize(MAX_ROLES)
  @IsArray()
  @Transform(({ value }: { value: unknown }) => (Array.isArray(value) ? [...new Set(value)] : value))
  @ValidateIf((_, value) => value !== undefined)
  readonly roles?: string[];
}

export class UpdateUserDto {
  @ApiPropertyOptional({ description: 'True refuses every login and revokes all sessions.' })
  @IsBoolean()
  @ValidateIf((_, value) => value !== undefined)
  readonly disabled?: boolean;

  @ApiPropertyOptional({
    type: [String],
    maxItems: MAX_ROLES,
    description:
      'All roles of the user from now on. If one is missing that the user has, all sessions are revoked.',
  })
  @Matches(ROLE, { each: true, message: `each role ${ROLE_RULE}` })
  @ArrayMaxSize(MAX_ROLES)
  @IsArray()
  @Transform(({ value }: { value: unknown }) => (Array.isArray(value) ? [...new Set(value)] : value))
  @ValidateIf((_, value) => value !== undefined)
  readonly roles?: string[];
}

/** A user as administrators see them. */
export class ManagedUserDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({
    type: String,
    nullable: true,
    example: 'cosmo',
    description: 'Null for an account that logs in with its e-mail address.',
  })
  readonly username!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'The proved e-mail address.' })
  readonly email!: string | null;

  @ApiProperty({ type: [String], example: ['admin'] })
  readonly roles!: string[];

  @ApiProperty({ type: String, format: 'date-time', nullable: true })
  readonly disabled_at!: string | null;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;
}

export class ManagedUserListDto {
  @ApiProperty({ type: [ManagedUserDto] })
  readonly items!: ManagedUserDto[];

  @ApiProperty({ type: String, nullable: true })
  readonly next_cursor!: string | null;
}

export function toManagedUserDto(user: User): ManagedUserDto {
  const { id, username, email = null, roles, disabledAt, createdAt } = user;
  return {
    id,
    username: username.includes('@') ? null : username,
    email,
    roles: [...roles],
    disabled_at: disabledAt === null ? null : new Date(disabledAt).toISOString(),
    created_at: new Date(createdAt).toISOString(),
  };
}
