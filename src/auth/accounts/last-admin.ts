import { Injectable } from '@nestjs/common';
import { Database, type Tx } from '../../database/index.js';
import { type User, type UserChange, UserStore } from '../../users/user-store.js';
import { ApiError } from '../errors/api-error.js';

/** The role that the routes under `/admin` require. */
export const ADMIN_ROLE = 'admin';

/** Keeps one administrator: without one, only an operator at the shell could make another. */
@Injectable()
export class LastAdmin {
  constructor(
    private readonly db: Database,
    private readonly users: UserStore,
  ) {}

  /**
   * Call it first in a transaction that may take the role or the account from a user. Such transactions run one after
   * another: two administrators who demote each other at once would each see the other one.
   * @throws ApiError `last_admin`
   */
  async check(tx: Tx, userId: string): Promise<void> {
    await this.db.lock(tx, 'freshgate administrators');
    const admins = await this.users.list({ role: ADMIN_ROLE, disabled: false, limit: 2 }, tx);
    if (admins.length === 0 || admins.some(({ id }) => id !== userId)) return;
    const message = 'This is the last administrator: give another account the role admin first';
    throw new ApiError(409, 'last_admin', message);
  }
}

/** Whether a change takes the role from the user, or disables a user who has it. */
export function takesAdmin({ roles: before }: User, { roles, disabledAt }: UserChange): boolean {
  if (!before.includes(ADMIN_ROLE)) return false;
  return roles?.includes(ADMIN_ROLE) === false || typeof disabledAt === 'number';
}
