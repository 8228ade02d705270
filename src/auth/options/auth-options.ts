import { Type } from 'class-transformer';
import {
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsObject,
  IsString,
  Matches,
  ValidateNested,
} from 'class-validator';
import { FromEnv } from '../../config/from-env.js';
import { IsHttpToken, IsMember, IsText, IsWholeNumber, MustBe, ToList } from '../../config/validators.js';
import { type KeySource } from '../../keys/key-file.js';
import { MIN_PASSWORD_LENGTH } from '../../passwords/password-policy.js';
import { parseDuration } from '../../time/duration.js';
import { IsDuration } from '../../time/is-duration.js';
import { TOKEN_LOCATIONS, type TokenLocation } from '../request/presented-token.js';
import { CookiesGroup, CsrfGroup } from './browser-groups.js';
import { LimitsGroup } from './limits-group.js';

/** The claims of tokens, and which tokens are accepted. */
class TokensGroup {
  /** `iss` of every token. */
  @FromEnv('AUTH_ISSUER')
  @IsText()
  @IsString()
  readonly issuer: string = 'freshgate';

  /** `aud` of every token: one or several. */
  @FromEnv('AUTH_AUDIENCE')
  @IsText(true)
  @IsString({ each: true })
  @ArrayNotEmpty({ message: 'must not be empty' })
  @ToList()
  readonly audience: readonly string[] = ['freshgate'];

  /** Additional accepted issuers of tokens signed with our keys, for example the previous name after a rename. */
  @IsText(true)
  @IsString({ each: true })
  @IsArray()
  @ToList()
  readonly acceptIssuers: readonly string[] = [];

  /** Additional accepted audiences. */
  @IsText(true)
  @IsString({ each: true })
  @IsArray()
  @ToList()
  readonly acceptAudiences: readonly string[] = [];

  /** Lifetime of an access token. It never outlives its session. */
  @FromEnv('ACCESS_TOKEN_TTL')
  @IsDuration()
  readonly accessTtl: number = parseDuration('15m');

  /** Accepted clock difference of issuers, for `exp` and `nbf`. Freshness has none. */
  @IsDuration({ min: '0s', max: '30s' })
  readonly leeway: number = parseDuration('0s');

  /** Whether tokens have an `nbf`. A token that has one is checked against it either way. */
  @IsBoolean()
  readonly notBefore: boolean = false;
}

class SessionsGroup {
  /** Lifetime of a session, counted from its login. Nothing extends it. */
  @FromEnv('SESSION_TTL')
  @IsDuration()
  readonly sessionTtl: number = parseDuration('30d');

  /** Lifetime of a refresh token that is not used. It never outlives its session. */
  @FromEnv('REFRESH_TOKEN_TTL')
  @IsDuration()
  readonly refreshTtl: number = parseDuration('14d');

  /** After a refresh without `Idempotency-Key`, how long the previous refresh token gets the same answer again. */
  @FromEnv('REFRESH_GRACE')
  @IsDuration({ min: '0s', max: '1m' })
  readonly refreshGrace: number = parseDuration('10s');

  /** How long ordinary routes go on without news of revoked sessions, before they answer 503. */
  @FromEnv('REVOCATION_MAX_STALENESS')
  @IsDuration({ min: '5s' })
  readonly revocationMaxStaleness: number = parseDuration('60s');
}

/** Where a request may carry its token. */
class LocationsGroup {
  /**
   * Where a token may be, in this order. The first location that holds a token decides, even when that token is bad.
   * `query` and `body` are a last resort: URLs end up in logs, histories and Referer headers (RFC 9700 §4.3.2).
   */
  @FromEnv('TOKEN_LOCATIONS')
  @MustBe(TOKEN_LOCATIONS, true)
  @ArrayUnique({ message: 'must name each location once' })
  @ArrayNotEmpty({ message: 'must name at least one location' })
  @ToList()
  readonly order: readonly TokenLocation[] = ['header'];

  /** Header that carries a token. */
  @IsHttpToken()
  readonly headerName: string = 'Authorization';

  /** Scheme in that header, in any case. Empty: the header holds the token alone. */
  @Matches(/^[!#$%&'*+\-.^_`|~\w]*$/, { message: 'must be one word, or empty' })
  readonly headerScheme: string = 'Bearer';

  /** Query parameter and body member of an access token (RFC 6750 §2.2, §2.3). */
  @IsMember()
  readonly accessName: string = 'access_token';

  /** Query parameter and body member of a refresh token. */
  @IsMember()
  readonly refreshName: string = 'refresh_token';
}

/** Requirements for new passwords. Common passwords are refused besides. */
class PasswordsGroup {
  /** Minimum length of a new password, in characters. NIST SP 800-63B-4 asks for 15 where there is no second factor. */
  @FromEnv('PASSWORD_MIN_LENGTH')
  @IsWholeNumber(MIN_PASSWORD_LENGTH, 64)
  readonly minLength: number = MIN_PASSWORD_LENGTH;
}

/** The record of logins, revocations and changes of accounts. */
class AuditGroup {
  /** How long an audit event is kept. */
  @FromEnv('AUDIT_RETENTION')
  @IsDuration({ min: '1d' })
  readonly retention: number = parseDuration('400d');
}

/**
 * All options, grouped by concern, with their defaults. Durations are milliseconds once they have been read. A class, so
 * that it is its own injection token. A new option is one member here: `@FromEnv` gives it a variable, its comment and its
 * validators become its rows in the documents (`npm run docs:options`).
 */
export class AuthOptions {
  /** `{ file, create }`: a private JWK Set in a file, which is watched for changes. Or the set itself. */
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

  /** Maximum age of the password proof on a fresh route that declares no `maxAge`. */
  @FromEnv('FRESH_MAX_AGE')
  @IsDuration()
  readonly freshMaxAge: number = parseDuration('15m');

  /** `closed`: `POST /auth/register` answers 403. */
  @FromEnv('REGISTRATION')
  @MustBe(['open', 'closed'])
  readonly registration: 'open' | 'closed' = 'open';
}
