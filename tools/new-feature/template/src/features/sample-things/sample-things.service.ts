import { Injectable } from '@nestjs/common';
import { isUUID } from 'class-validator';
import { ApiError, Clock, type Principal } from '../../auth/index.js';
import {
  type CreateSampleThingDto,
  type ListSampleThingsQuery,
  type SampleThingDto,
  type SampleThingListDto,
} from './sample-things.dto.js';
import { SampleThingsRepository } from './sample-things.repository.js';
import { type SampleThingRow } from './sample-things.table.js';

const PAGE = 50;

@Injectable()
export class SampleThingsService {
  constructor(
    private readonly repository: SampleThingsRepository,
    private readonly clock: Clock,
  ) {}

  async create({ userId }: Principal, { name }: CreateSampleThingDto): Promise<SampleThingDto> {
    return toDto(await this.repository.create(userId, name, this.clock.now()));
  }

  async list({ userId }: Principal, { cursor }: ListSampleThingsQuery): Promise<SampleThingListDto> {
    const rows = await this.repository.list(userId, PAGE + 1, cursor);
    const items = rows.slice(0, PAGE).map(toDto);
    return { items, next_cursor: rows.length > PAGE ? (items.at(-1)?.id ?? null) : null };
  }

  /** @throws ApiError `not_found`, also if it belongs to another user */
  async find({ userId }: Principal, id: string): Promise<SampleThingDto> {
    // Only a UUID is looked up: PostgreSQL refuses a text with a NUL.
    const row = isUUID(id) ? await this.repository.find(userId, id) : undefined;
    if (!row) throw notFound();
    return toDto(row);
  }

  /** @throws ApiError `not_found`, also if it belongs to another user */
  async delete({ userId }: Principal, id: string): Promise<void> {
    if (!isUUID(id) || !(await this.repository.delete(userId, id))) throw notFound();
  }
}

function notFound(): ApiError {
  return new ApiError(404, 'not_found', 'There is no such sample thing');
}

function toDto({ id, name, created_at }: SampleThingRow): SampleThingDto {
  return { id, name, created_at: new Date(created_at).toISOString() };
}
