import { type CookieSerializeOptions, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { type TokenPairDto } from '../dto/token-pair.dto.js';
import { AuthOptions } from '../options/auth-options.js';
import { CsrfTokens } from './csrf-tokens.js';

/** The longest that browsers keep a cookie (RFC 6265bis §5.5). */
const DEVICE_MAX_AGE_SECONDS = 400 * 86_400;

/** Sets and clears the token cookies, if the application reads tokens from cookies. */
@Injectable()
export class TokenCookies implements OnModuleInit {
  constructor(
    private readonly host: HttpAdapterHost,
    private readonly csrf: CsrfTokens,
    private readonly options: AuthOptions,
  ) {}

  onModuleInit(): void {
    if (!this.used || this.options.cookies.secure) return;
    new Logger('TokenCookies').warn(
      'cookies.secure is off: token cookies are sent over plain HTTP, readable on the network; for development only',
    );
  }

  get used(): boolean {
    return this.options.locations.order.includes('cookie');
  }

  set(response: unknown, pair: TokenPairDto, sessionId: string): void {
    if (!this.used) return;
    const { cookies, csrf } = this.options;
    const age = (seconds: number) => (cookies.persistent ? { maxAge: seconds } : {});
    const set = (name: string, value: string, options: CookieSerializeOptions) =>
      this.host.httpAdapter.setCookie(response, name, value, options);
    set(cookies.accessName, pair.access_token, { ...this.access, ...age(pair.expires_in) });
    set(cookies.refreshName, pair.refresh_token, { ...this.refresh, ...age(pair.refresh_expires_in) });
    set(csrf.cookieName, this.csrf.of(sessionId), { ...this.readable, ...age(pair.refresh_expires_in) });
  }

  /** Stays at logout: the device must be known at the next login. */
  setDevice(response: unknown, device: string): void {
    if (!this.used) return;
    const { deviceName, persistent } = this.options.cookies;
    const age = persistent ? { maxAge: DEVICE_MAX_AGE_SECONDS } : {};
    this.host.httpAdapter.setCookie(response, deviceName, device, {
      ...this.readable,
      httpOnly: true,
      ...age,
    });
  }

  clear(response: unknown): void {
    if (!this.used) return;
    const { cookies, csrf } = this.options;
    const clear = (name: string, options: CookieSerializeOptions) =>
      this.host.httpAdapter.clearCookie(response, name, options);
    clear(cookies.accessName, this.access);
    clear(cookies.refreshName, this.refresh);
    clear(csrf.cookieName, this.readable);
  }

  private get readable(): CookieSerializeOptions {
    const { secure, sameSite, domain, partitioned } = this.options.cookies;
    return { secure, sameSite, partitioned, path: '/', ...(domain === undefined ? {} : { domain }) };
  }

  private get access(): CookieSerializeOptions {
    return { ...this.readable, httpOnly: true, path: this.options.cookies.accessPath };
  }

  private get refresh(): CookieSerializeOptions {
    return { ...this.readable, httpOnly: true, path: this.options.cookies.refreshPath };
  }
}
