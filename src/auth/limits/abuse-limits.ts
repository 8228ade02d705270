import { Injectable } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { Database } from '../../database/index.js';
import { AuthOptions } from '../options/auth-options.js';
import { networkOf } from '../request/client-address.js';
import { type CountValues } from './count-one.js';
import { type Count, Counters } from './counters.js';
import { parseLimit } from './limit.js';
import { Reservation } from './reservation.js';

/** Whose password is tried, and what of theirs is known where it is tried. */
export interface Guess {
  account: string;
  /** A device or a session on which this user has proved the password before. */
  known?: string | undefined;
}

/**
 * How often passwords are tried, accounts made and sessions refreshed. A limit on an account alone would let anybody
 * lock its owner out; so it holds for strangers, and a device that the owner has used counts by itself.
 */
@Injectable()
export class AbuseLimits {
  private readonly account: Counters;
  private readonly accountAndAddress: Counters;
  private readonly address: Counters;
  private readonly device: Counters;
  private readonly registrations: Counters;
  private readonly refreshes: Counters;

  constructor(db: Database, { limits }: AuthOptions) {
    const counters = (name: string, limit: string) => new Counters(name, parseLimit(limit), db);
    this.account = counters('account', limits.account);
    this.accountAndAddress = counters('account-and-address', limits.accountAndAddress);
    this.address = counters('address', limits.address);
    this.device = counters('device', limits.device);
    this.registrations = counters('register', limits.register);
    this.refreshes = counters('refresh', limits.refresh);
  }

  /** Before a password is looked at. @throws ApiError `rate_limited` */
  async guess({ account, known }: Guess, { ip }: Caller): Promise<Reservation> {
    const address = networkOf(ip);
    // The address first: where that is refused, no rows are made for the names that it comes with.
    const places = [{ counters: this.address, key: address }];
    if (known !== undefined) {
      return Reservation.make([
        ...places,
        { counters: this.device, key: `${known} of ${account}`, resets: true },
      ]);
    }
    return Reservation.make([
      ...places,
      { counters: this.accountAndAddress, key: `${account} from ${address}`, resets: true },
      // Not reset by a success: its owner logs in, and a stranger goes on guessing.
      { counters: this.account, key: account },
    ]);
  }

  /** Before the password is hashed; whatever comes of it counts. @throws ApiError `rate_limited` */
  async register({ ip }: Caller): Promise<void> {
    await Reservation.make([{ counters: this.registrations, key: networkOf(ip) }]);
  }

  /**
   * Before the session's row is touched.
   * @param counted by the statement that was to touch it
   * @throws ApiError `rate_limited`
   */
  async refresh(sessionId: string, counted?: Count): Promise<void> {
    await Reservation.make([
      { counters: this.refreshes, key: sessionId, ...(counted === undefined ? {} : { counted }) },
    ]);
  }

  /** What such a statement needs. */
  refreshValues(sessionId: string): CountValues {
    return this.refreshes.valuesOf(sessionId);
  }
}
