import { Injectable } from '@nestjs/common';
import { type Caller } from '../audit/audit-log.js';
import { Database } from '../database/index.js';
import { AuthOptions } from '../auth/options/auth-options.js';
import { networkOf } from '../http/client-address.js';
import { type Counters, type NamedLimit } from './counters.js';
import { parseLimit } from './limit.js';
import { MemoryCounters } from './memory-counters.js';
import {
  type Counted,
  countOf,
  type CountValues,
  countValues,
  PostgresCounters,
} from './postgres-counters.js';
import { RateLimitReservation } from './rate-limit-reservation.js';

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
export class RateLimits {
  private readonly counters: Counters;
  private readonly account: NamedLimit;
  private readonly accountAndAddress: NamedLimit;
  private readonly address: NamedLimit;
  private readonly device: NamedLimit;
  private readonly registrations: NamedLimit;
  private readonly refreshes: NamedLimit;

  constructor(db: Database, { limits }: AuthOptions) {
    this.counters = db.engine === 'postgres' ? new PostgresCounters(db) : new MemoryCounters();
    const named = (name: string, limit: string) => ({ name, ...parseLimit(limit) });
    this.account = named('account', limits.account);
    this.accountAndAddress = named('account-and-address', limits.accountAndAddress);
    this.address = named('address', limits.address);
    this.device = named('device', limits.device);
    this.registrations = named('register', limits.register);
    this.refreshes = named('refresh', limits.refresh);
  }

  /** Before a password is looked at. @throws ApiError `rate_limited` */
  async guess({ account, known }: Guess, { ip }: Caller): Promise<RateLimitReservation> {
    const address = networkOf(ip);
    // The address first: where that is refused, no rows are made for the names that it comes with.
    const places = [{ limit: this.address, key: address }];
    if (known !== undefined) {
      return RateLimitReservation.make(this.counters, [
        ...places,
        { limit: this.device, key: `${known} of ${account}`, resets: true },
      ]);
    }
    return RateLimitReservation.make(this.counters, [
      ...places,
      { limit: this.accountAndAddress, key: `${account} from ${address}`, resets: true },
      // Not reset by a success: its owner logs in, and a stranger goes on guessing.
      { limit: this.account, key: account },
    ]);
  }

  /** Before the password is hashed; whatever comes of it counts. @throws ApiError `rate_limited` */
  async register({ ip }: Caller): Promise<void> {
    await RateLimitReservation.make(this.counters, [{ limit: this.registrations, key: networkOf(ip) }]);
  }

  /**
   * Before the session's row is touched.
   * @param counted by the statement that was to touch it
   * @throws ApiError `rate_limited`
   */
  async refresh(sessionId: string, counted?: Counted): Promise<void> {
    const place = { limit: this.refreshes, key: sessionId };
    await RateLimitReservation.make(this.counters, [place], counted && [countOf(counted)]);
  }

  /** What such a statement needs. */
  refreshValues(sessionId: string): CountValues {
    return countValues({ limit: this.refreshes, key: sessionId });
  }
}
