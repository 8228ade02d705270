import { Injectable } from '@nestjs/common';
import { isIP } from 'node:net';

/** What `PasskeysModule.forRoot` is given. A class, so that it is its own DI token. */
export abstract class PasskeysSettings {
  /** `APP_URL`, or undefined in production where it is not set. */
  abstract readonly appUrl: string | undefined;
  /** Other origins whose pages use these passkeys. */
  abstract readonly origins: readonly string[];
}

/** `APP_URL` cannot be a relying party; the application names the variable. */
export class PasskeysSettingsError extends Error {
  override readonly name = 'PasskeysSettingsError';
}

/** The site that passkeys belong to. From configuration alone: a request could name another site. */
@Injectable()
export class RelyingParty {
  /** A passkey belongs to this domain for ever; pages of its subdomains may use it. */
  readonly id: string;
  /** Origins whose pages may use the passkeys. */
  readonly origins: readonly string[];
  /** Origins of other sites. Browsers allow them only if `/.well-known/webauthn` lists them (WebAuthn §5.11). */
  readonly relatedOrigins: readonly string[];

  /** @throws PasskeysSettingsError */
  constructor({ appUrl, origins }: PasskeysSettings) {
    if (appUrl === undefined)
      throw new PasskeysSettingsError('must be set where passkeys are used: they belong to its domain');
    const { hostname, origin } = new URL(appUrl);
    if (isIP(hostname) > 0 || hostname.startsWith('['))
      throw new PasskeysSettingsError(
        `${appUrl} has an IP address, which passkeys cannot belong to; use a name such as http://localhost:3000`,
      );
    this.id = hostname;
    // App shells such as `capacitor://localhost` have no WebAuthn of their own.
    const others = origins.filter((each) => /^https?:/.test(each));
    this.origins = [...new Set([origin, ...others])];
    this.relatedOrigins = this.origins.filter((each) => !this.covers(new URL(each).hostname));
  }

  private covers(hostname: string): boolean {
    return hostname === this.id || hostname.endsWith(`.${this.id}`);
  }
}
