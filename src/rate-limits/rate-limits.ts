import { Injectable } from '@nestjs/common';
import { type Caller } from '../audit/audit-log.js';
import { Database } from '../database/index.js';
import { networkOf, wideNetworkOf } from '../http/client-address.js';
import { type Counters, type NamedLimit, type RateLimitKey } from './counters.js';
import { parseLimit } from './limit.js';
import { MemoryCounters } from './memory-counters.js';
import { PostgresCounters } from './postgres-counters.js';
import { RateLimitOptions } from './rate-limit-options.js';
import { RateLimitReservation } from './rate-limit-reservation.js';

/** Whose password is tried. */
export interface Guess {
  account: string;
  /** A device or a session on which this user has proved the password before. */
  known?: string | undefined;
}

/** A /48 holds 65,536 networks that are counted one by one; together they may do this much more than one of them. */
const WIDE_FACTOR = 4;

/**
 * How often passwords are tried and accounts made. A limit on an account or an address alone would let strangers lock
 * the owner out; so a device or a session that the owner has used has a counter of its own, and no other.
 */
@Injectable()
export class RateLimits {
  private readonly counters: Counters;
  private readonly account: NamedLimit;
  private readonly accountAndAddress: NamedLimit;
  private readonly address: NamedLimit;
  private readonly device: NamedLimit;
  private readonly registrations: NamedLimit;

  constructor(db: Database, limits: RateLimitOptions) {
    this.counters = db.engine === 'postgres' ? new PostgresCounters(db) : new MemoryCounters();
    const named = (name: string, limit: string) => ({ name, ...parseLimit(limit) });
    this.account = named('account', limits.account);
    this.accountAndAddress = named('account-and-address', limits.accountAndAddress);
    this.address = named('address', limits.address);
    this.device = named('device', limits.device);
    this.registrations = named('register', limits.register);
  }

  /** Before a password is compared. @throws RateLimitedError */
  async guess({ account, known }: Guess, { ip }: Caller): Promise<RateLimitReservation> {
    if (known !== undefined) {
      const key = { limit: this.device, key: `${known} of ${account}`, resets: true };
      return RateLimitReservation.make(this.counters, [key]);
    }
    return RateLimitReservation.make(this.counters, [
      // The address first: if that is refused, no rows are made for the names that it comes with.
      ...byNetwork(this.address, ip),
      { limit: this.accountAndAddress, key: `${account} from ${networkOf(ip)}`, resets: true },
      // Not reset by a success: the owner logs in while a stranger goes on guessing.
      { limit: this.account, key: account },
    ]);
  }

  /** Before the password is hashed; every attempt counts. @throws RateLimitedError */
  async register({ ip }: Caller): Promise<void> {
    await RateLimitReservation.make(this.counters, byNetwork(this.registrations, ip));
  }
}

function byNetwork(limit: NamedLimit, ip: string | null): RateLimitKey[] {
  const wide = wideNetworkOf(ip);
  return [
    { limit, key: networkOf(ip) },
    ...(wide === undefined
      ? []
      : [{ limit: { ...limit, name: `${limit.name}-wide`, points: limit.points * WIDE_FACTOR }, key: wide }]),
  ];
}
