import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../../database/index.js';
import { type SampleThingRow } from './sample-things.table.js';

/** Every query names the owner, so another user's rows are not found. */
@Injectable()
export class SampleThingsRepository {
  constructor(private readonly db: Database) {}

  async create(ownerId: string, name: string, now: number): Promise<SampleThingRow> {
    return this.db
      .insertInto('sample_things')
      .values({ id: uuidv7(), owner_id: ownerId, name, created_at: now })
      .returningAll()
      .executeTakeFirstOrThrow();
  }

  async find(ownerId: string, id: string): Promise<SampleThingRow | undefined> {
    return this.db
      .selectFrom('sample_things')
      .selectAll()
      .where('owner_id', '=', ownerId)
      .where('id', '=', id)
      .executeTakeFirst();
  }

  /** Newest first; `before` is the id of the last one of the page before. */
  async list(ownerId: string, limit: number, before?: string): Promise<SampleThingRow[]> {
    return this.db
      .selectFrom('sample_things')
      .selectAll()
      .where('owner_id', '=', ownerId)
      .$if(before !== undefined, (query) => query.where('id', '<', before ?? ''))
      .orderBy('id', 'desc')
      .limit(limit)
      .execute();
  }

  /** @returns false if there is none */
  async delete(ownerId: string, id: string): Promise<boolean> {
    const { numDeletedRows } = await this.db
      .deleteFrom('sample_things')
      .where('owner_id', '=', ownerId)
      .where('id', '=', id)
      .executeTakeFirst();
    return numDeletedRows === 1n;
  }
}
