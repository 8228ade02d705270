import { ArrayNotEmpty, IsArray, IsBoolean, ValidateIf } from 'class-validator';
import { AreOrigins, IsCookieDomain, IsHttpToken, IsPath, MustBe, ToList } from '../../config/validators.js';

/** With the location `cookie`: login, refresh and the other routes that issue tokens set these, logout clears them. */
export class CookiesGroup {
  /**
   * Cookie of the access token. With `__Host-`, browsers accept it neither from sub-domains nor over plain HTTP (RFC
   * 6265bis §4.1.3.2). Without `secure` the default names of all cookies lose the prefix.
   */
  @IsHttpToken()
  readonly accessName: string = '__Host-access_token';

  /** Cookie of the refresh token. */
  @IsHttpToken()
  readonly refreshName: string = '__Host-refresh_token';

  /** Cookie that a known device shows at its next login. Logout does not clear it. */
  @IsHttpToken()
  readonly deviceName: string = '__Host-device';

  /** Path of the access cookie. Another path than `/` needs a name without `__Host-`. */
  @IsPath()
  readonly accessPath: string = '/';

  /** Path of the refresh cookie, likewise. */
  @IsPath()
  readonly refreshPath: string = '/';

  /** Domain whose sub-domains share the cookies. Needs names without `__Host-`. */
  @ValidateIf((_, value) => value !== undefined)
  @IsCookieDomain()
  readonly domain?: string;

  /** `Secure`. False only for plain HTTP in development: the tokens can then be read on the network. */
  @IsBoolean()
  readonly secure: boolean = true;

  /** `SameSite`. `none` needs `secure`. */
  @MustBe(['strict', 'lax', 'none'])
  readonly sameSite: 'strict' | 'lax' | 'none' = 'strict';

  /** True: a cookie lives as long as its token. False: until the browser is closed. */
  @IsBoolean()
  readonly persistent: boolean = true;

  /** `Partitioned` (CHIPS), for pages that are embedded in other sites. Needs `secure`. */
  @IsBoolean()
  readonly partitioned: boolean = false;
}

/** For tokens that come in cookies, and for the endpoints that set them. Cannot be switched off. */
export class CsrfGroup {
  /** Origins whose pages may send requests besides our own, as browsers write them. */
  @AreOrigins()
  @IsArray()
  @ToList()
  readonly trustedOrigins: readonly string[] = [];

  /** Methods that are checked. */
  @IsHttpToken({ each: true, message: 'must be names of HTTP methods' })
  @ArrayNotEmpty({ message: 'must not be empty: without it any site could act for its visitors' })
  @ToList()
  readonly methods: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE'];

  /** Header in which a client that sends neither `Sec-Fetch-Site` nor `Origin` repeats the CSRF cookie. */
  @IsHttpToken()
  readonly headerName: string = 'X-CSRF-Token';

  /** CSRF cookie. Only scripts of this site can read it. */
  @IsHttpToken()
  readonly cookieName: string = '__Host-csrf_token';
}
