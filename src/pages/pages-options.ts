import { FromEnv } from '../config/from-env.js';
import { MustBe } from '../config/validators.js';

export class PagesOptions {
  /**
   * Whether the pages are served at `/`. They need tokens in headers or cookies: with other `TOKEN_LOCATIONS` they are off.
   */
  @FromEnv('PAGES')
  @MustBe(['on', 'off'])
  readonly pages: 'on' | 'off' = 'on';
}
