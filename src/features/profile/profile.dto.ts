import { ApiProperty } from '@nestjs/swagger';
import { AccountDto } from '../../auth/index.js';

export class ProfileDto extends AccountDto {
  @ApiProperty({ description: 'Whether the access token was issued for a password proof.' })
  readonly fresh!: boolean;

  @ApiProperty({ description: 'NumericDate of that proof.', nullable: true, type: Number })
  readonly auth_time!: number | null;
}
