import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsNotEmpty, IsOptional, IsString, IsUUID, MaxLength } from 'class-validator';

export class CreateSampleThingDto {
  @ApiProperty({ example: 'the first sample thing', maxLength: 100 })
  @MaxLength(100)
  @IsNotEmpty()
  @IsString()
  readonly name!: string;
}

export class ListSampleThingsQuery {
  @ApiPropertyOptional({ format: 'uuid', description: '`next_cursor` of the previous page.' })
  @IsUUID()
  @IsOptional()
  readonly cursor?: string;
}

export class SampleThingDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ example: 'the first sample thing' })
  readonly name!: string;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;
}

export class SampleThingListDto {
  @ApiProperty({ type: [SampleThingDto] })
  readonly items!: SampleThingDto[];

  @ApiProperty({ type: String, nullable: true })
  readonly next_cursor!: string | null;
}
