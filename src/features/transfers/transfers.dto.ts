import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, IsNotEmpty, IsOptional, IsString, IsUUID, Max, MaxLength, Min } from 'class-validator';
import { LowerCased } from '../../auth/index.js';

export class CreateTransferDto {
  @ApiProperty({ example: 'laika', description: 'The username of the receiver.' })
  @LowerCased()
  @MaxLength(256)
  @IsNotEmpty()
  @IsString()
  readonly to!: string;

  @ApiProperty({
    type: 'integer',
    example: 1250,
    minimum: 1,
    maximum: 1e12,
    description: 'Minor units, for example cents.',
  })
  @Max(1e12)
  @Min(1)
  @IsInt()
  readonly amount!: number;
}

export class ListTransfersQuery {
  @ApiPropertyOptional({ type: 'integer', minimum: 1, maximum: 100, default: 20 })
  @Max(100)
  @Min(1)
  @IsInt()
  @Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value,
  )
  @IsOptional()
  readonly limit: number = 20;

  @ApiPropertyOptional({ format: 'uuid', description: '`next_cursor` of the previous page.' })
  @IsUUID()
  @IsOptional()
  readonly cursor?: string;
}

export class TransferDto {
  @ApiProperty({ format: 'uuid' })
  readonly id!: string;

  @ApiProperty({ enum: ['in', 'out'] })
  readonly direction!: 'in' | 'out';

  @ApiProperty({
    type: String,
    nullable: true,
    description: 'A username, or null if the account was deleted.',
  })
  readonly counterparty!: string | null;

  @ApiProperty({ type: 'integer', example: 1250 })
  readonly amount!: number;

  @ApiProperty({ format: 'date-time' })
  readonly created_at!: string;
}

export class TransferListDto {
  @ApiProperty({ type: 'integer', example: 98_750 })
  readonly balance!: number;

  @ApiProperty({ type: [TransferDto] })
  readonly items!: TransferDto[];

  @ApiProperty({ type: String, nullable: true })
  readonly next_cursor!: string | null;
}
