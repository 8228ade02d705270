import { IsLimit } from '../../rate-limits/limit.js';

/** Rate limits, such as `10 per 1h`. A window starts with the first attempt. */
export class LimitsGroup {
  /** Wrong passwords for one account, from all unknown devices together. */
  @IsLimit()
  readonly account: string = '10 per 1h';

  /** Wrong passwords for one account from one address, from unknown devices. */
  @IsLimit()
  readonly accountAndAddress: string = '5 per 15m';

  /** Wrong passwords from one address (IPv6: one /64), for any account. */
  @IsLimit()
  readonly address: string = '100 per 1h';

  /** Wrong passwords for one account from one device that has logged in before, or in one session. */
  @IsLimit()
  readonly device: string = '10 per 1h';

  /** Registrations from one address, and, counted apart, requests for a password reset. */
  @IsLimit()
  readonly register: string = '20 per 1h';

  /** Refreshes of one session. */
  @IsLimit()
  readonly refresh: string = '60 per 1m';
}
