import { type CanActivate, Injectable } from '@nestjs/common';
import { HashingQueue } from '../../passwords/hashing-queue.js';

/**
 * Asked first of all where strangers have passwords hashed: in a flood, a request that will be refused must not first
 * cost a look-up, or a counter for each address and name that it invents. It refuses everybody alike, whoever it is
 * that wants to log in. Not for reauthentication: there a stolen refresh token is found before the password is looked at.
 */
@Injectable()
export class HashingCapacityGuard implements CanActivate {
  constructor(private readonly queue: HashingQueue) {}

  /** @throws HashingOverloadedError */
  canActivate(): boolean {
    this.queue.requireRoom();
    return true;
  }
}
