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

/** The account whose password is tried, and the device or session that tries it. */
export interface Guess {
  account: string;
  /** A device or a session on which this user has proved the password before. */
  known?: string | undefined;
}

/** A /48 contains 65,536 networks with counters of their own; together they have this many times the limit of one. */
const WIDE_FACTOR = 4;

/**
 * Limits password attempts and registrations. A limit on an account or an address alone would let strangers lock the owner
 * out, so a device or a session that the owner has used has its own counter and no other.
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

  /** Counts an attempt before its password is compared. @throws RateLimitedError */
  async guess({ account, known }: Guess, { ip }: Caller): Promise<RateLimitReservation> {
    if (known !== undefined) {
      const key = { limit: this.device, key: `${known} of ${account}`, resets: true };
      return RateLimitReservation.make(this.counters, [key]);
    }
    return RateLimitReservation.make(this.counters, [
      // The address first: if it is refused, no rows are created for the usernames that it tries.
      ...byNetwork(this.address, ip),
      { limit: this.accountAndAddress, key: `${account} from ${networkOf(ip)}`, resets: true },
      // Not reset by a success: the owner may log in while a stranger goes on guessing.
      { limit: this.account, key: account },
    ]);
  }

  /** Counts a registration before its password is hashed, even if it fails. @throws RateLimitedError */
  async register({ ip }: Caller): Promise<void> {
    await RateLimitReservation.make(this.counters, byNetwork(this.registrations, ip));
  }

  /** Counts a request for a password reset. @throws RateLimitedError */
  async forgot({ ip }: Caller): Promise<void> {
    const limit = { ...this.registrations, name: 'forgot' };
    await RateLimitReservation.make(this.counters, byNetwork(limit, ip));
  }

  /** Counts an attempt to log in that names no account, with the wrong passwords of its address. @throws RateLimitedError */
  async nameless({ ip }: Caller): Promise<RateLimitReservation> {
    return RateLimitReservation.make(this.counters, byNetwork(this.address, ip));
  }

  /** Counts one use of any module's limit by a key, such as the id of a user. @throws RateLimitedError */
  async count(limit: NamedLimit, key: string): Promise<void> {
    await RateLimitReservation.make(this.counters, [{ limit, key }]);
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
