import { IsLimit } from '../../rate-limits/limit.js';

/** How often what may be abused can be done: `10 per 1h`, in a window that begins with the first time. */
export class LimitsGroup {
  /** Wrong passwords for one account, all strangers together. */
  @IsLimit()
  readonly account: string = '10 per 1h';

  /** Wrong passwords for one account from one address, where the account is not known. */
  @IsLimit()
  readonly accountAndAddress: string = '5 per 15m';

  /** Wrong passwords from one address (IPv6: one /64), whoever they are for. */
  @IsLimit()
  readonly address: string = '100 per 1h';

  /** Wrong passwords for one account from one device where it has logged in before, or in one session. */
  @IsLimit()
  readonly device: string = '10 per 1h';

  /** Registrations from one address. */
  @IsLimit()
  readonly register: string = '20 per 1h';

  /** Refreshes of one session. */
  @IsLimit()
  readonly refresh: string = '60 per 1m';
}
