import { Type } from 'class-transformer';
import {
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsObject,
  IsString,
  Matches,
  Max,
  Min,
  ValidateIf,
  ValidateNested,
} from 'class-validator';
import { IsDuration } from '../../tokens/is-duration.js';
import { type KeySource } from '../../tokens/key-file.js';
import { parseDuration } from '../../tokens/duration.js';
import { SHORTEST_PASSWORD } from '../../users/password-policy.js';
import { LimitsGroup } from './limits-group.js';
import { ToList, TrustedOrigins } from './option-decorators.js';

export const TOKEN_LOCATIONS = ['header', 'cookie', 'query', 'body'] as const;
export type TokenLocation = (typeof TOKEN_LOCATIONS)[number];

/** RFC 9110 §5.6.2: what the name of a header, of a cookie and of a method is made of. */
const HTTP_TOKEN = /^[!#$%&'*+\-.^_`|~\w]+$/;
/** RFC 1034 §3.5. What is none could be set in no cookie, and every login would fail. */
const DOMAIN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const IsHttpToken = () =>
  Matches(HTTP_TOKEN, { message: 'must be a name of visible ASCII without separators' });
const IsMember = () => Matches(/^[\w-]+$/, { message: 'must be made of letters, digits, _ and -' });
const IsPath = () => Matches(/^\/[!-:<-~]*$/, { message: 'must be a path that begins with /' });
const IsText = (each = false) => Matches(/\S/, { each, message: 'must not be blank' });
const MustBe = (values: readonly unknown[], each = false) =>
  IsIn(values, { each, message: `must be one of ${values.map(String).join(', ')}` });

/** What tokens say, and which are taken. */
class TokensGroup {
  /** `iss` of every token. */
  @IsText()
  @IsString()
  readonly issuer: string = 'freshgate';

  /** `aud` of every token: one or several. */
  @IsText(true)
  @IsString({ each: true })
  @ArrayNotEmpty({ message: 'must not be empty' })
  @ToList()
  readonly audience: readonly string[] = ['freshgate'];

  /** Issuers whose tokens are taken besides, when signed with our keys: the name from before a change of name. */
  @IsText(true)
  @IsString({ each: true })
  @IsArray()
  @ToList()
  readonly acceptIssuers: readonly string[] = [];

  /** Audiences that are taken besides `audience`. */
  @IsText(true)
  @IsString({ each: true })
  @IsArray()
  @ToList()
  readonly acceptAudiences: readonly string[] = [];

  /** The life of an access token, never past its session's end. */
  @IsDuration()
  readonly accessTtl: number = parseDuration('15m');

  /** How far the clocks of issuers may be off, for `exp` and `nbf`; freshness knows no leeway. At most 30s. */
  @IsDuration({ min: '0s', max: '30s' })
  readonly leeway: number = 0;

  /** Whether tokens say `nbf`. One that does is held to it either way. */
  @IsBoolean()
  readonly notBefore: boolean = false;
}

class SessionsGroup {
  /** The life of a session from its login on; nothing moves it. */
  @IsDuration()
  readonly sessionTtl: number = parseDuration('30d');

  /** The life of a refresh token that is not used, never past the session's end. */
  @IsDuration()
  readonly refreshTtl: number = parseDuration('14d');

  /** How long after a refresh without `Idempotency-Key` its predecessor gets the same successor again. */
  @IsDuration({ min: '0s', max: '1m' })
  readonly refreshGrace: number = parseDuration('10s');

  /** For how long ordinary routes go on without news of ended sessions. */
  @IsDuration({ min: '5s' })
  readonly revocationMaxStaleness: number = parseDuration('60s');
}

/** Where a request may carry its token. */
class LocationsGroup {
  /**
   * Looked at in this order; the first that holds a token decides, even when that token is bad. `query` and `body`
   * are for clients that can do nothing else: URLs end up in logs, histories and Referer headers (RFC 9700 §4.3.2).
   */
  @MustBe(TOKEN_LOCATIONS, true)
  @ArrayUnique({ message: 'must name each location once' })
  @ArrayNotEmpty({ message: 'must name at least one location' })
  @ToList()
  readonly order: readonly TokenLocation[] = ['header'];

  @IsHttpToken()
  readonly headerName: string = 'Authorization';

  /** Compared without regard to case. Empty: the header holds the token alone. */
  @Matches(/^[!#$%&'*+\-.^_`|~\w]*$/, { message: 'must be one word, or empty' })
  readonly headerScheme: string = 'Bearer';

  /** The query parameter and the body's member that hold an access token (RFC 6750 §2.2, §2.3). */
  @IsMember()
  readonly accessName: string = 'access_token';

  /** Those that hold a refresh token. */
  @IsMember()
  readonly refreshName: string = 'refresh_token';
}

/** With the location `cookie`: login, refresh and their kin set these, logout clears them. */
class CookiesGroup {
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
  @Matches(DOMAIN, { message: 'must be a domain name' })
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
class CsrfGroup {
  /** Origins whose pages may call besides our own, as browsers write them. */
  @TrustedOrigins()
  @IsArray()
  @ToList()
  readonly trustedOrigins: readonly string[] = [];

  /** The methods that are checked. */
  @Matches(HTTP_TOKEN, { each: true, message: 'must be names of HTTP methods' })
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

/** What new passwords must be, besides none that everybody tries. */
class PasswordsGroup {
  /** Characters, 8 to 64; 15 are what NIST SP 800-63B-4 asks for where a password is all that is asked. */
  @IsInt({ message: 'must be a whole number from 8 to 64' })
  @Min(SHORTEST_PASSWORD, { message: 'must be a whole number from 8 to 64' })
  @Max(64, { message: 'must be a whole number from 8 to 64' })
  readonly minLength: number = SHORTEST_PASSWORD;
}

/**
 * All that can be set, grouped by concern, with its default; what has no default here must be given. Durations
 * are milliseconds once they have been read. A class, so that it is its own DI token: rooms inject it.
 */
export class AuthOptions {
  /** `{ file, create }`: a private JWK Set in a file, followed while it changes. Or the set itself. */
  declare readonly keys: KeySource;

  @IsObject()
  @ValidateNested()
  @Type(() => TokensGroup)
  readonly tokens: TokensGroup = new TokensGroup();

  @IsObject()
  @ValidateNested()
  @Type(() => SessionsGroup)
  readonly sessions: SessionsGroup = new SessionsGroup();

  @IsObject()
  @ValidateNested()
  @Type(() => LocationsGroup)
  readonly locations: LocationsGroup = new LocationsGroup();

  @IsObject()
  @ValidateNested()
  @Type(() => CookiesGroup)
  readonly cookies: CookiesGroup = new CookiesGroup();

  @IsObject()
  @ValidateNested()
  @Type(() => CsrfGroup)
  readonly csrf: CsrfGroup = new CsrfGroup();

  @IsObject()
  @ValidateNested()
  @Type(() => LimitsGroup)
  readonly limits: LimitsGroup = new LimitsGroup();

  @IsObject()
  @ValidateNested()
  @Type(() => PasswordsGroup)
  readonly passwords: PasswordsGroup = new PasswordsGroup();

  /** How old the password proof may be on a fresh route that says nothing else. */
  @IsDuration()
  readonly freshMaxAge: number = parseDuration('15m');

  @MustBe(['open', 'closed'])
  readonly registration: 'open' | 'closed' = 'open';
}
