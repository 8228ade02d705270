import { AccountsOptions } from './accounts-options.js';

/** What `AccountsModule.forRoot` is given. A class, so that it is its own DI token. */
export abstract class AccountsSettings extends AccountsOptions {
  /** `APP_URL`, or undefined in production where it is not set. */
  abstract readonly appUrl: string | undefined;
}

/** A setting that contradicts the others; the application names the variable. */
export class AccountsSettingsError extends Error {
  override readonly name = 'AccountsSettingsError';

  constructor(
    readonly setting: 'smtpUrl' | 'appUrl',
    message: string,
  ) {
    super(message);
  }
}
