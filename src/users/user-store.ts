import { type Tx } from '../database/index.js';

/** 3 to 32 of `a-z 0-9 . _ -`; input is lower-cased before. */
export const USERNAME = /^[a-z0-9._-]{3,32}$/;

/** 1 to 64 of `a-z 0-9 . _ : -`: no space, which separates them, and no capitals, which look like another role. */
export const ROLE = /^[a-z0-9._:-]{1,64}$/;

/** Every access token contains the roles, and headers and cookies hold about 4,000 bytes. */
export const MAX_ROLES = 16;

export interface User {
  /** Opaque text; it becomes the `sub` of tokens. */
  id: string;
  /** For people: the username, or the e-mail address of an account that has no username (no username holds `@`). */
  username: string;
  /** The address that the user has proved, as `parseEmail` writes it. Belongs to one account alone. */
  email?: string | null;
  /** The address that the user has asked for and not proved yet. Reserves nothing. */
  pendingEmail?: string | null;
  /** When the last change of address was undone, in milliseconds: links to undo earlier changes are used up. */
  emailUndoneAt?: number;
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

/** The version of the user that was read: a change fails if the user has changed since. */
export type SeenUser = Pick<User, 'id' | 'credentialVersion'>;
export type NewUser = Pick<
  User,
  'username' | 'email' | 'pendingEmail' | 'passwordHash' | 'roles' | 'createdAt'
> & {
  /** The id of an account that is imported from another system. Without it, the store creates one. */
  id?: string;
};
export type UserChange = Partial<
  Pick<
    User,
    'username' | 'email' | 'pendingEmail' | 'emailUndoneAt' | 'passwordHash' | 'roles' | 'disabledAt'
  >
>;

/** Which users to list. */
export interface UserQuery {
  limit: number;
  /** Begins after this username. */
  after?: string | undefined;
  /** Part of the username or of the proved address, in lower case. */
  text?: string | undefined;
  role?: string | undefined;
  disabled?: boolean | undefined;
}

/**
 * All that authentication needs of users, so that a team can use its own table. It must be in the same database, because
 * sessions and users change in one transaction. Usernames and ids come from requests: an impossible one is not found, and
 * is not an error. A class, so that it is its own DI token.
 */
export abstract class UserStore {
  /** @returns the user, or undefined if the name, the address or the id is taken, also by a registration at the same moment */
  abstract create(tx: Tx, user: NewUser): Promise<User | undefined>;

  abstract findById(id: string, tx?: Tx): Promise<User | undefined>;

  /** Finds by username, or by proved address if the text holds `@` and the store keeps addresses. */
  abstract findByUsername(username: string): Promise<User | undefined>;

  /** Returns usernames by id, without deleted users. */
  abstract usernames(ids: string[]): Promise<Map<string, string>>;

  /** Lists the users that meet every given condition, ordered by username. */
  abstract list(query: UserQuery, tx?: Tx): Promise<User[]>;

  /**
   * Locks the user's row until the transaction ends.
   * @returns false if the credential version has moved or the user no longer exists
   */
  abstract lockIfUnchanged(tx: Tx, user: SeenUser): Promise<boolean>;

  /**
   * Changes the user and moves the credential version, in one conditional statement.
   * @returns false, and changes nothing, if the version has moved or the user no longer exists
   * @throws the database's error (`isUniqueViolation`) if another account has the username or the proved address
   */
  abstract update(tx: Tx, user: SeenUser, change: UserChange): Promise<boolean>;

  /**
   * Replaces the hash by a better one of the same password. Does not move the version, because the password is the same.
   * @returns false, and changes nothing, if the version has moved or the user no longer exists
   */
  abstract upgradeHash(tx: Tx, user: SeenUser, passwordHash: string): Promise<boolean>;

  /** Removes the user. Removing one that is gone is not an error. */
  abstract delete(tx: Tx, id: string): Promise<void>;
}
