import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type User } from '../../users/user-store.js';

export class AccountDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ example: 'cosmo', type: String, nullable: true, description: 'Null if it has none.' })
  readonly username!: string | null;

  @ApiPropertyOptional({ example: 'cosmo@example.com', description: 'The proved address, if there is one.' })
  readonly email?: string;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;
}

export function toAccountDto(user: User): AccountDto {
  const { id, username, email, createdAt } = user;
  return {
    id,
    username: username.includes('@') ? null : username,
    ...(typeof email === 'string' ? { email } : {}),
    created_at: new Date(createdAt).toISOString(),
  };
}
