import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';

export class FieldErrorDto {
  @ApiProperty({ example: 'username' })
  readonly field!: string;

  @ApiProperty({ type: [String] })
  readonly messages!: string[];
}

/** The body of every error answer, for the OpenAPI document. */
export class ErrorDto {
  @ApiProperty({ type: 'integer' })
  readonly statusCode!: number;

  @ApiProperty({ description: 'The reason phrase of the status.' })
  readonly error!: string;

  @ApiProperty({ description: 'Text for people; may change.' })
  readonly message!: string;

  @ApiProperty({ description: 'Stable code for programs.' })
  readonly errorCode!: string;

  @ApiPropertyOptional({
    type: [FieldErrorDto],
    description: 'With `validation_failed`: every refused field, at most 20.',
  })
  readonly errors?: FieldErrorDto[];
}
