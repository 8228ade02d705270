import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7, validate as isUuid } from 'uuid';
import { Database, type Executor, type MigrationSet, type Tx } from '../database/index.js';
import {
  type NewUser,
  type SeenUser,
  type User,
  type UserChange,
  USERNAME,
  type UserQuery,
  type UserStore,
} from './user-store.js';
import { parseEmail } from './email-address.js';
import { usersMigrations, type UsersRow } from './users.table.js';

/** The users in our own table. */
@Injectable()
export class Users implements UserStore {
  constructor(private readonly db: Database) {}

  /** Registers the migrations here, so that an application with another store has no table `users`. */
  static withTable(db: Database, migrations: MigrationSet): Users {
    migrations.add(usersMigrations);
    return new Users(db);
  }

  async create(tx: Tx, user: NewUser): Promise<User | undefined> {
    const {
      id = uuidv7(),
      username,
      email = null,
      pendingEmail = null,
      passwordHash,
      roles,
      createdAt,
    } = user;
    const row = await tx
      .insertInto('users')
      .values({
        id,
        username,
        email,
        email_pending: pendingEmail,
        email_undone_at: 0,
        password_hash: passwordHash,
        credential_version: 1,
        roles: toColumn(roles),
        disabled_at: null,
        created_at: createdAt,
      })
      .onConflict((conflict) => conflict.doNothing())
      .returningAll()
      .executeTakeFirst();
    return row && toUser(row);
  }

  /** Does not query an impossible id: PostgreSQL, for example, refuses a text with a NUL. */
  async findById(id: string, db: Executor = this.db): Promise<User | undefined> {
    if (!isUuid(id)) return undefined;
    const row = await db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst();
    return row && toUser(row);
  }

  /** Does not query an impossible name. A name with `@` is looked up among the proved addresses. */
  async findByUsername(username: string): Promise<User | undefined> {
    const email = username.includes('@') ? parseEmail(username) : undefined;
    if (email === undefined && !USERNAME.test(username)) return undefined;
    const row = await this.db
      .selectFrom('users')
      .selectAll()
      .where(email === undefined ? 'username' : 'email', '=', email ?? username)
      .executeTakeFirst();
    return row && toUser(row);
  }

  async usernames(ids: string[]): Promise<Map<string, string>> {
    if (ids.length === 0) return new Map();
    const rows = await this.db
      .selectFrom('users')
      .select(['id', 'username'])
      .where('id', 'in', ids)
      .execute();
    return new Map(rows.map((row) => [row.id, row.username]));
  }

  async list({ limit, after, text, role, disabled }: UserQuery, db: Executor = this.db): Promise<User[]> {
    const part = text === undefined ? undefined : `%${escapeLike(text)}%`;
    const rows = await db
      .selectFrom('users')
      .selectAll()
      .$if(after !== undefined, (query) => query.where('username', '>', after ?? ''))
      .$if(part !== undefined, (query) =>
        query.where(sql<boolean>`(username like ${part} escape '\\' or email like ${part} escape '\\')`),
      )
      .$if(role !== undefined, (query) =>
        query.where(sql<boolean>`' ' || roles || ' ' like ${`% ${escapeLike(role ?? '')} %`} escape '\\'`),
      )
      .$if(disabled !== undefined, (query) => query.where('disabled_at', disabled ? 'is not' : 'is', null))
      .orderBy('username')
      .limit(limit)
      .execute();
    return rows.map(toUser);
  }

  /** Locks by an UPDATE that changes nothing, because SQLite has no `FOR UPDATE`. */
  async lockIfUnchanged(tx: Tx, user: SeenUser): Promise<boolean> {
    return this.updateIfUnchanged(tx, user, { credential_version: user.credentialVersion });
  }

  async update(tx: Tx, user: SeenUser, change: UserChange): Promise<boolean> {
    const { username, email, pendingEmail, emailUndoneAt, passwordHash, roles, disabledAt } = change;
    return this.updateIfUnchanged(tx, user, {
      credential_version: user.credentialVersion + 1,
      ...(username === undefined ? {} : { username }),
      ...(email === undefined ? {} : { email }),
      ...(pendingEmail === undefined ? {} : { email_pending: pendingEmail }),
      ...(emailUndoneAt === undefined ? {} : { email_undone_at: emailUndoneAt }),
      ...(passwordHash === undefined ? {} : { password_hash: passwordHash }),
      ...(roles === undefined ? {} : { roles: toColumn(roles) }),
      ...(disabledAt === undefined ? {} : { disabled_at: disabledAt }),
    });
  }

  async upgradeHash(tx: Tx, user: SeenUser, passwordHash: string): Promise<boolean> {
    return this.updateIfUnchanged(tx, user, { password_hash: passwordHash });
  }

  /** Deletes the user; rows of other tables follow by `on delete`. */
  async delete(tx: Tx, id: string): Promise<void> {
    await tx.deleteFrom('users').where('id', '=', id).execute();
  }

  private async updateIfUnchanged(tx: Tx, user: SeenUser, columns: Partial<UsersRow>): Promise<boolean> {
    const { numUpdatedRows } = await tx
      .updateTable('users')
      .set(columns)
      .where('id', '=', user.id)
      .where('credential_version', '=', user.credentialVersion)
      .executeTakeFirst();
    return numUpdatedRows === 1n;
  }
}

function toUser(row: UsersRow): User {
  return {
    id: row.id,
    username: row.username,
    email: row.email,
    pendingEmail: row.email_pending,
    emailUndoneAt: row.email_undone_at,
    passwordHash: row.password_hash,
    credentialVersion: row.credential_version,
    roles: row.roles.split(' ').filter(Boolean),
    disabledAt: row.disabled_at,
    createdAt: row.created_at,
  };
}

/** `_` is usual in names, and stands for any character in LIKE. */
function escapeLike(text: string): string {
  return text.replace(/[\\%_]/g, (character) => `\\${character}`);
}

function toColumn(roles: readonly string[]): string {
  return roles.join(' ');
}
