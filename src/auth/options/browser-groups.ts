import { ArrayNotEmpty, IsArray, IsBoolean, ValidateIf } from 'class-validator';
import { IsCookieDomain, IsHttpToken, IsPath, MustBe, ToList, TrustedOrigins } from './option-decorators.js';

/** With the location `cookie`: login, refresh and their kin set these, logout clears them. */
export class CookiesGroup {
  /**
   * With `__Host-`, browsers take them neither from sub-domains nor over plain HTTP (RFC 6265bis §4.1.3.2). Without
   * `secure` these defaults lose the prefix.
   */
  @IsHttpToken()
  readonly accessName: string = '__Host-access_token';

  @IsHttpToken()
  readonly refreshName: string = '__Host-refresh_token';

  /** What a device shows at its next login; not cleared at logout. */
  @IsHttpToken()
  readonly deviceName: string = '__Host-device';

  /** Another path than `/` needs a name without `__Host-`. */
  @IsPath()
  readonly accessPath: string = '/';

  @IsPath()
  readonly refreshPath: string = '/';

  /** Shares the cookies with its sub-domains; needs names without `__Host-`. */
  @ValidateIf((_, value) => value !== undefined)
  @IsCookieDomain()
  readonly domain?: string;

  /** False only for plain HTTP in development: anybody on the way can read the tokens then. */
  @IsBoolean()
  readonly secure: boolean = true;

  @MustBe(['strict', 'lax', 'none'])
  readonly sameSite: 'strict' | 'lax' | 'none' = 'strict';

  /** True: each cookie lives as long as its token. False: until the browser ends. */
  @IsBoolean()
  readonly persistent: boolean = true;

  /** CHIPS: for pages that are embedded in other sites; needs `secure`. */
  @IsBoolean()
  readonly partitioned: boolean = false;
}

/** For tokens that come in cookies, and for the endpoints that set them. Cannot be switched off. */
export class CsrfGroup {
  /** Origins whose pages may call besides our own, as browsers write them. */
  @TrustedOrigins()
  @IsArray()
  @ToList()
  readonly trustedOrigins: readonly string[] = [];

  /** The methods that are checked. */
  @IsHttpToken({ each: true, message: 'must be names of HTTP methods' })
  @ArrayNotEmpty({ message: 'must not be empty: without it any site could act for whoever visits it' })
  @ToList()
  readonly methods: readonly string[] = ['POST', 'PUT', 'PATCH', 'DELETE'];

  /** Where a client that sends neither `Sec-Fetch-Site` nor `Origin` repeats the value of the cookie below. */
  @IsHttpToken()
  readonly headerName: string = 'X-CSRF-Token';

  /** Readable by the scripts of the site, and of no other. Loses its prefix as the cookies above. */
  @IsHttpToken()
  readonly cookieName: string = '__Host-csrf_token';
}
