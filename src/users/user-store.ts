import { type Tx } from '../database/index.js';

/** 3 to 32 of `a-z 0-9 . _ -`; input is lower-cased before. */
export const USERNAME = /^[a-z0-9._-]{3,32}$/;

/** 1 to 64 of `a-z 0-9 . _ : -`: no space, which separates them, and no capitals, which look like another role. */
export const ROLE = /^[a-z0-9._:-]{1,64}$/;

export interface User {
  /** Opaque text; it becomes the `sub` of tokens. */
  id: string;
  username: string;
  /** PHC string: the parameters travel with the hash. */
  passwordHash: string;
  /**
   * Moves with every change of the password, the roles, or whether the account is disabled. A login, which takes time to
   * verify the password, commits only if it has not moved since: one that raced such a change leaves no session behind.
   */
  credentialVersion: number;
  roles: readonly string[];
  /** Milliseconds; null while the user may log in. */
  disabledAt: number | null;
  /** Milliseconds. */
  createdAt: number;
}

/** The user as they were read: a change is made only if nothing has changed since. */
export type SeenUser = Pick<User, 'id' | 'credentialVersion'>;
export type NewUser = Pick<User, 'username' | 'passwordHash' | 'roles' | 'createdAt'>;
export type UserChange = Partial<Pick<User, 'passwordHash' | 'roles' | 'disabledAt'>>;

/**
 * Where the users are. What authentication needs of them and nothing else, so that a team can bring a table of its
 * own; it lies in the same database, because sessions and users change in one transaction. Names and ids come from
 * strangers: what cannot exist is not found, and no error. A class: its own DI token.
 */
export abstract class UserStore {
  /** @returns the user, or undefined if the name is taken, also by a registration at the same moment */
  abstract create(tx: Tx, user: NewUser): Promise<User | undefined>;

  abstract findById(id: string, tx?: Tx): Promise<User | undefined>;

  abstract findByUsername(username: string): Promise<User | undefined>;

  /** Names by id; ids of deleted users are absent. */
  abstract usernames(ids: string[]): Promise<Map<string, string>>;

  /** Ordered by username, from the first one after `after` on. */
  abstract list(limit: number, after?: string): Promise<User[]>;

  /**
   * Locks the user's row until the transaction ends.
   * @returns false when the credential version has moved, or the user is gone
   */
  abstract lockIfUnchanged(tx: Tx, user: SeenUser): Promise<boolean>;

  /**
   * Changes the user and moves the credential version, in one conditional statement.
   * @returns false, and changes nothing, when the version had moved before, or the user is gone
   */
  abstract update(tx: Tx, user: SeenUser, change: UserChange): Promise<boolean>;

  /**
   * Replaces the hash by a better one of the same password; moves no version, since nothing that was proved changes.
   * @returns false, and changes nothing, when the credential version has moved, or the user is gone
   */
  abstract upgradeHash(tx: Tx, user: SeenUser, passwordHash: string): Promise<boolean>;

  /** Removes the user. Removing one that is gone is not an error. */
  abstract delete(tx: Tx, id: string): Promise<void>;
}
