import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Executor, type Tx } from '../database/index.js';
import { type User } from './users.table.js';

/** 3 to 32 of `a-z 0-9 . _ -`; input is lower-cased before. */
export const USERNAME = /^[a-z0-9._-]{3,32}$/;

@Injectable()
export class Users {
  constructor(private readonly db: Database) {}

  /** @returns the user, or undefined when the name is taken */
  async create(tx: Tx, username: string, passwordHash: string, now: number): Promise<User | undefined> {
    return tx
      .insertInto('users')
      .values({ id: uuidv7(), username, password_hash: passwordHash, credential_version: 1, created_at: now })
      .onConflict((conflict) => conflict.column('username').doNothing())
      .returningAll()
      .executeTakeFirst();
  }

  async findById(id: string, db: Executor = this.db): Promise<User | undefined> {
    return db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
  }

  /** A name that cannot exist is not asked for: PostgreSQL, for one, refuses a text with a NUL. */
  async findByUsername(username: string): Promise<User | undefined> {
    if (!USERNAME.test(username)) return undefined;
    return this.db.selectFrom('users').selectAll().where('username', '=', username).executeTakeFirst();
  }

  /** Names by id; ids of deleted users are absent. */
  async usernames(ids: string[]): Promise<Map<string, string>> {
    if (ids.length === 0) return new Map();
    const rows = await this.db
      .selectFrom('users')
      .select(['id', 'username'])
      .where('id', 'in', ids)
      .execute();
    return new Map(rows.map((row) => [row.id, row.username]));
  }

  /**
   * Locks the user's row until the transaction ends, if the credentials are still those that were verified. An
   * UPDATE that changes nothing, since SQLite knows no `FOR UPDATE`; password change and deletion meet it here.
   */
  async lockIfUnchanged(tx: Tx, user: Pick<User, 'id' | 'credential_version'>): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({ credential_version: user.credential_version })
      .where('id', '=', user.id)
      .where('credential_version', '=', user.credential_version)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** @returns false when the credentials are no longer those that were verified */
  async changePassword(
    tx: Tx,
    user: Pick<User, 'id' | 'credential_version'>,
    passwordHash: string,
  ): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set({ password_hash: passwordHash, credential_version: user.credential_version + 1 })
      .where('id', '=', user.id)
      .where('credential_version', '=', user.credential_version)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  /** What other tables hold of the user goes with the row (`on delete`). */
  async delete(tx: Tx, id: string): Promise<void> {
    await tx.deleteFrom('users').where('id', '=', id).execute();
  }
}
