import { ApiProperty } from '@nestjs/swagger';
import { type Session } from '../../sessions/sessions.table.js';
import { toNumericDate } from '../../time/clock.js';

/** One login on one device. */
export class SessionDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;

  @ApiProperty({ format: 'date-time', description: 'When tokens were last issued for this session.' })
  readonly last_used_at!: string;

  @ApiProperty({
    type: 'integer',
    description: 'When the password was last proved: seconds since the epoch.',
  })
  readonly auth_time!: number;

  @ApiProperty({ format: 'date-time', description: 'The latest time at which the session expires.' })
  readonly expires_at!: string;

  @ApiProperty({ type: String, nullable: true, description: 'The IP address of the last login or refresh.' })
  readonly ip!: string | null;

  @ApiProperty({ type: String, nullable: true })
  readonly user_agent!: string | null;

  @ApiProperty({ description: 'Whether the access token of this request belongs to this session.' })
  readonly current!: boolean;
}

export function toSessionDto(session: Session, currentId: string): SessionDto {
  const time = (milliseconds: number) => new Date(milliseconds).toISOString();
  return {
    id: session.id,
    created_at: time(session.created_at),
    last_used_at: time(session.last_used_at),
    auth_time: toNumericDate(session.auth_time),
    expires_at: time(session.expires_at),
    ip: session.ip,
    user_agent: session.user_agent,
    current: session.id === currentId,
  };
}
