import { ApiProperty } from '@nestjs/swagger';

/** RFC 6749 §5.1, with the lifetime of the refresh token too. */
export class TokenPairDto {
  @ApiProperty()
  readonly access_token!: string;

  @ApiProperty({ enum: ['Bearer'] })
  readonly token_type!: 'Bearer';

  @ApiProperty({ type: 'integer', description: 'Seconds.', example: 900 })
  readonly expires_in!: number;

  @ApiProperty()
  readonly refresh_token!: string;

  @ApiProperty({ type: 'integer', description: 'Seconds.', example: 1_209_600 })
  readonly refresh_expires_in!: number;
}

/** A token pair with its session. Handlers return it, and `@DeliversTokens()` turns it into the answer. */
export interface IssuedPair extends TokenPairDto {
  sessionId: string;
  /** After a login with a password: the device token, which the next login on this device sends. */
  device?: string;
}

/** Carries the device token in answers to logins, and in the next login. */
export const DEVICE_HEADER = 'X-Device-Token';
