import { FromEnv } from '../../config/from-env.js';
import { IsWholeNumber } from '../../config/validators.js';

export class TransfersOptions {
  /** What a new account of the example holds, in minor units. */
  @FromEnv('TRANSFERS_OPENING_BALANCE')
  @IsWholeNumber(0, 1e12)
  readonly openingBalance: number = 100_000;
}
