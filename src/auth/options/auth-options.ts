import { Type } from 'class-transformer';
import {
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsInt,
  IsObject,
  IsString,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { IsDuration } from '../../time/is-duration.js';
import { type KeySource } from '../../keys/key-file.js';
import { parseDuration } from '../../time/duration.js';
import { SHORTEST_PASSWORD } from '../../passwords/password-policy.js';
import { TOKEN_LOCATIONS, type TokenLocation } from '../request/presented-token.js';
import { CookiesGroup, CsrfGroup } from './browser-groups.js';
import { LimitsGroup } from './limits-group.js';
import { IsHttpToken, IsMember, IsText, MustBe, ToList } from './option-decorators.js';

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

/** What new passwords must be, besides none that everybody tries. */
class PasswordsGroup {
  /** Characters, 8 to 64; 15 are what NIST SP 800-63B-4 asks for where a password is all that is asked. */
  @IsInt({ message: 'must be a whole number from 8 to 64' })
  @Min(SHORTEST_PASSWORD, { message: 'must be a whole number from 8 to 64' })
  @Max(64, { message: 'must be a whole number from 8 to 64' })
  readonly minLength: number = SHORTEST_PASSWORD;
}

/** The record of logins, revocations and changes of accounts. */
class AuditGroup {
  /** How long an event is kept. */
  @IsDuration({ min: '1d' })
  readonly retention: number = parseDuration('400d');
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

  @IsObject()
  @ValidateNested()
  @Type(() => AuditGroup)
  readonly audit: AuditGroup = new AuditGroup();

  /** How old the password proof may be on a fresh route that says nothing else. */
  @IsDuration()
  readonly freshMaxAge: number = parseDuration('15m');

  @MustBe(['open', 'closed'])
  readonly registration: 'open' | 'closed' = 'open';
}
