import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, Matches } from 'class-validator';
import { IsWholeNumber } from '../../config/validators.js';
import { IsTime } from '../rfc3339.decorator.js';

export class ListAuditQuery {
  @ApiPropertyOptional({ description: 'The id of a user whom the events concern, or who caused them.' })
  @Matches(/^[^\0]{1,256}$/, { message: 'user must be the id of a user' })
  @IsOptional()
  readonly user?: string;

  @ApiPropertyOptional({ example: 'authn_login_fail' })
  @Matches(/^[a-z_]{1,64}$/, { message: 'event must be the name of an event, such as authn_login_fail' })
  @IsOptional()
  readonly event?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'From this time on.' })
  @IsTime()
  @IsOptional()
  readonly from?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Before this time.' })
  @IsTime()
  @IsOptional()
  readonly to?: string;

  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 100, default: 20 })
  @IsWholeNumber(1, 100)
  readonly limit: number = 20;

  @ApiPropertyOptional({ description: '`next_cursor` of the previous page.' })
  @Matches(/^\d{1,15}_[0-9a-f-]{36}$/, { message: 'cursor must be next_cursor of the previous page' })
  @IsOptional()
  readonly cursor?: string;
}

export class AuditEventDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ format: 'date-time' })
  readonly at!: string;

  @ApiProperty({ example: 'authn_login_fail', description: 'A name of the OWASP Logging Vocabulary.' })
  readonly event!: string;

  @ApiProperty({ enum: ['success', 'fail'] })
  readonly outcome!: 'success' | 'fail';

  @ApiProperty({ type: String, nullable: true, example: 'wrong_password' })
  readonly cause!: string | null;

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'The user who caused it; null if no user was logged in.',
  })
  readonly actor_id!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'The user whom it concerns.' })
  readonly subject_id!: string | null;

  @ApiProperty({ type: String, nullable: true })
  readonly session_id!: string | null;

  @ApiProperty({ type: String, nullable: true })
  readonly ip!: string | null;

  @ApiProperty({ type: String, nullable: true })
  readonly user_agent!: string | null;

  @ApiProperty({ type: String, nullable: true, description: 'The `X-Request-Id` of the request.' })
  readonly request_id!: string | null;
}

export class AuditListDto {
  @ApiProperty({ type: [AuditEventDto] })
  readonly items!: AuditEventDto[];

  @ApiProperty({ type: String, nullable: true })
  readonly next_cursor!: string | null;
}
