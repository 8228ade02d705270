import { ApiProperty } from '@nestjs/swagger';
import { type User } from '../../users/user-store.js';

export class AccountDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ example: 'cosmo' })
  readonly username!: string;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;
}

export function toAccountDto(user: User): AccountDto {
  return { id: user.id, username: user.username, created_at: new Date(user.createdAt).toISOString() };
}
