import { ApiProperty } from '../../openapi/decorators.js';
import { AccountDto } from '../../auth/index.js';

export class ProfileDto extends AccountDto {
  @ApiProperty({ description: 'Whether the token that asks came from proving the password.' })
  readonly fresh!: boolean;

  @ApiProperty({ description: 'NumericDate of that proof.', nullable: true, type: Number })
  readonly auth_time!: number | null;
}
