import { Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Executor, type Tx } from '../database/index.js';
import { type Passkey } from './passkeys.table.js';

/** The rows of `passkeys`. Every query of an owner names them, so another user's passkey is simply not found. */
@Injectable()
export class PasskeyRows {
  constructor(private readonly db: Database) {}

  async listOf(userId: string, db: Executor = this.db): Promise<Passkey[]> {
    return db.selectFrom('passkeys').selectAll().where('user_id', '=', userId).orderBy('id').execute();
  }

  async findByCredential(credentialId: string): Promise<Passkey | undefined> {
    return this.db
      .selectFrom('passkeys')
      .selectAll()
      .where('credential_id', '=', credentialId)
      .executeTakeFirst();
  }

  /** @returns undefined if the credential is registered already */
  async add(tx: Tx, passkey: Omit<Passkey, 'id' | 'last_used_at'>): Promise<Passkey | undefined> {
    return tx
      .insertInto('passkeys')
      .values({ ...passkey, id: uuidv7(), last_used_at: null })
      .onConflict((conflict) => conflict.column('credential_id').doNothing())
      .returningAll()
      .executeTakeFirst();
  }

  /** Records a use, by one conditional UPDATE. @returns false if the counter is not ahead, or the passkey was removed */
  async use(tx: Tx, id: string, counter: number, now: number): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('passkeys')
      .set({ counter, last_used_at: now })
      .where('id', '=', id)
      .where((eb) => (counter === 0 ? eb('counter', '=', 0) : eb('counter', '<', counter)))
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }

  async rename(tx: Tx, userId: string, id: string, name: string): Promise<Passkey | undefined> {
    return tx
      .updateTable('passkeys')
      .set({ name })
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .returningAll()
      .executeTakeFirst();
  }

  async remove(tx: Tx, userId: string, id: string): Promise<boolean> {
    const { numDeletedRows } = await tx
      .deleteFrom('passkeys')
      .where('id', '=', id)
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return numDeletedRows === 1n;
  }

  async removeAll(tx: Tx, userId: string): Promise<boolean> {
    const { numDeletedRows } = await tx
      .deleteFrom('passkeys')
      .where('user_id', '=', userId)
      .executeTakeFirst();
    return numDeletedRows > 0n;
  }
}
