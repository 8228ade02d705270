import { ApiProperty } from '@nestjs/swagger';

const PARTS = {
  type: 'object' as const,
  additionalProperties: {
    type: 'object' as const,
    required: ['status'],
    properties: {
      status: { type: 'string' as const, enum: ['up', 'down'] },
      message: { type: 'string' as const },
    },
  },
};

/** The report of the probes, for the OpenAPI document. */
export class HealthReportDto {
  @ApiProperty({ enum: ['ok', 'error', 'shutting_down'] })
  readonly status!: string;

  @ApiProperty({ ...PARTS, description: 'The parts that work.' })
  readonly info!: object;

  @ApiProperty({ ...PARTS, description: 'The parts that fail.' })
  readonly error!: object;

  @ApiProperty({ ...PARTS, description: 'All parts.' })
  readonly details!: object;
}
