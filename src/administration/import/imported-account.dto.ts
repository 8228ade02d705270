import { Transform } from 'class-transformer';
import {
  ArrayMaxSize,
  IsArray,
  IsBoolean,
  IsOptional,
  IsString,
  IsUUID,
  Matches,
  registerDecorator,
} from 'class-validator';
import { LowerCased } from '../../auth/index.js';
import { readStoredHash } from '../../passwords/stored-hash.js';
import { MAX_ROLES, ROLE, USERNAME } from '../../users/user-store.js';
import { IsEmail } from '../email.decorator.js';
import { IsTime } from '../rfc3339.decorator.js';

/** One line of an import. */
export class ImportedAccountDto {
  /** Kept, so that references to the user in other systems stay valid. */
  @IsUUID()
  @Transform(({ value }: { value: unknown }) => (typeof value === 'string' ? value.toLowerCase() : value))
  @IsOptional()
  readonly id?: string | null;

  /** May be absent if the address is proved: the user then logs in with the address. */
  @LowerCased()
  @Matches(USERNAME, { message: 'username must be 3 to 32 of a-z, 0-9, dot, underscore and hyphen' })
  @IsString()
  @IsOptional()
  readonly username?: string | null;

  @IsEmail()
  @IsOptional()
  readonly email?: string | null;

  /** Whether the old system has proved the address. Without it, the user has to prove it again. */
  @IsBoolean()
  @IsOptional()
  readonly email_verified?: boolean | null;

  /** Without it, the account has no password until one is set. */
  @IsStoredHash()
  @IsOptional()
  readonly password_hash?: string | null;

  @Matches(ROLE, {
    each: true,
    message: 'each role must be 1 to 64 of a-z, 0-9, dot, underscore, colon and hyphen',
  })
  @ArrayMaxSize(MAX_ROLES)
  @IsArray()
  @IsOptional()
  readonly roles?: string[] | null;

  @IsTime()
  @IsOptional()
  readonly created_at?: string | null;
}

/** The message says which bound is exceeded, and never shows the hash. */
function IsStoredHash(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'isStoredHash',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value) => problemOf(value) === undefined,
        defaultMessage: (given) => problemOf(given?.value) ?? '',
      },
    });
}

function problemOf(value: unknown): string | undefined {
  if (typeof value !== 'string') return 'must be text';
  try {
    readStoredHash(value);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
