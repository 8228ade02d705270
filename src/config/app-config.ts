import { plainToInstance, Transform } from 'class-transformer';
import {
  ArrayNotEmpty,
  ArrayUnique,
  IsIn,
  IsInt,
  IsOptional,
  Matches,
  Max,
  Min,
  registerDecorator,
  validateSync,
  type ValidationArguments,
} from 'class-validator';
import { AreProxies } from './are-proxies.js';
import { formatDuration, parseDuration } from '../time/duration.js';
import { IsDuration } from '../time/is-duration.js';

/** A setting that is wrong: says which, and what was expected. Several are reported at once. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';

  constructor(readonly problems: { variable: string; problem: string }[]) {
    super(problems.map(({ variable, problem }) => `${variable}: ${problem}`).join('\n'));
  }
}

/** A whole number in decimal digits; `1e3`, `0x10` and `80 ` are refused by the check that follows. */
function ToInteger(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value,
  );
}

function ToList(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string'
      ? value
          .split(',')
          .map((item) => item.trim())
          .filter(Boolean)
      : value,
  );
}

/** Something that is not only white space. */
function IsText(): PropertyDecorator {
  return Matches(/\S/, { message: 'must not be blank' });
}

/** An exact origin (RFC 6454), as browsers send it: no path, no trailing slash, no wildcard, not `null`. */
function isOrigin(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  try {
    const url = new URL(value);
    return /^https?:$/.test(url.protocol) && url.origin === value && !url.hostname.includes('*');
  } catch {
    return false;
  }
}

function AreOrigins(): PropertyDecorator {
  return (target, property) =>
    registerDecorator({
      name: 'areOrigins',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value) => Array.isArray(value) && value.every(isOrigin),
        defaultMessage: ({ value }: ValidationArguments) =>
          `must list exact origins like https://app.example.com, without path or trailing slash; ${JSON.stringify(
            (value as unknown[]).find((item) => !isOrigin(item)),
          )} is none`,
      },
    });
}

/** From nothing to everything. */
const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];
const LOCATIONS = ['header', 'cookie', 'query', 'body'] as const;

/**
 * The environment, each variable under its own name. Nothing else reads `process.env`. Durations are milliseconds.
 * The initial values are the defaults; an empty variable counts as absent.
 */
export class AppConfig {
  @IsIn(['production', 'development', 'test'], { message: 'must be production, development or test' })
  readonly NODE_ENV: string = 'development';

  @IsText()
  readonly HOST: string = '127.0.0.1';

  @ToInteger()
  @IsInt({ message: 'must be a port, 0 to 65535' })
  @Min(0, { message: 'must be a port, 0 to 65535' })
  @Max(65_535, { message: 'must be a port, 0 to 65535' })
  readonly PORT: number = 3000;

  @IsIn(LOG_LEVELS, { message: `must be ${LOG_LEVELS.join(', ')}` })
  readonly LOG_LEVEL: string = 'info';

  @IsOptional()
  @ToInteger()
  @IsInt({ message: 'must be a port, 0 to 65535' })
  @Min(0, { message: 'must be a port, 0 to 65535' })
  @Max(65_535, { message: 'must be a port, 0 to 65535' })
  readonly METRICS_PORT: number | undefined = undefined;

  @IsText()
  readonly METRICS_HOST: string = '127.0.0.1';

  @IsText()
  readonly DATABASE_URL: string = 'file:./data/freshgate.db';

  @IsText()
  readonly AUTH_ISSUER: string = 'freshgate';

  @IsText()
  readonly AUTH_AUDIENCE: string = 'freshgate';

  @IsText()
  readonly AUTH_KEYS_FILE: string = './data/keys.json';

  @IsDuration()
  readonly ACCESS_TOKEN_TTL: number = parseDuration('15m');

  @IsDuration()
  readonly REFRESH_TOKEN_TTL: number = parseDuration('14d');

  @IsDuration()
  readonly SESSION_TTL: number = parseDuration('30d');

  @IsDuration()
  readonly FRESH_MAX_AGE: number = parseDuration('15m');

  @IsDuration({ min: '0s', max: '1m' })
  readonly REFRESH_GRACE: number = parseDuration('10s');

  @IsDuration({ min: '5s' })
  readonly REVOCATION_MAX_STALENESS: number = parseDuration('60s');

  @ToList()
  @IsIn(LOCATIONS, { each: true, message: 'must list header, cookie, query or body, separated by commas' })
  @ArrayUnique({ message: 'must name each location once' })
  @ArrayNotEmpty({ message: 'must name at least one location' })
  readonly TOKEN_LOCATIONS: readonly (typeof LOCATIONS)[number][] = ['header'];

  @ToList()
  @AreOrigins()
  readonly CORS_ORIGINS: readonly string[] = [];

  @ToList()
  @AreProxies()
  readonly TRUSTED_PROXIES: readonly string[] = [];

  @IsIn(['open', 'closed'], { message: 'must be "open" or "closed"' })
  readonly REGISTRATION: 'open' | 'closed' = 'open';

  @ToInteger()
  @IsInt({ message: 'must be a whole number from 8 to 64' })
  @Min(8, { message: 'must be a whole number from 8 to 64' })
  @Max(64, { message: 'must be a whole number from 8 to 64' })
  readonly PASSWORD_MIN_LENGTH: number = 8;

  @ToInteger()
  @IsInt({ message: 'must be a whole number of minor units, 0 to 10^12' })
  @Min(0, { message: 'must be a whole number of minor units, 0 to 10^12' })
  @Max(1e12, { message: 'must be a whole number of minor units, 0 to 10^12' })
  readonly TRANSFERS_OPENING_BALANCE: number = 100_000;
}

/**
 * Reads and checks the environment.
 * @throws ConfigError that names every variable that is wrong or contradicts another
 */
export function loadConfig(env: Record<string, string | undefined>): AppConfig {
  const known = Object.keys(new AppConfig()) as (keyof AppConfig)[];
  const given = Object.fromEntries(
    known.map((name) => [name, env[name]]).filter(([, value]) => Boolean(value)),
  );
  const config = plainToInstance(AppConfig, given, { exposeDefaultValues: true });
  const problems = validateSync(config).map(({ property, constraints = {} }) => ({
    variable: property,
    problem: `${Object.values(constraints)[0]}${shown(property, env[property])}`,
  }));
  if (problems.length === 0) problems.push(...contradictions(config, given));
  if (problems.length > 0) throw new ConfigError(problems);
  for (const value of Object.values(config)) Object.freeze(value);
  return Object.freeze(config);
}

/** A database's URL may hold a password, so that value is not repeated. */
function shown(variable: string, value: string | undefined): string {
  return variable === 'DATABASE_URL' || value === undefined ? '' : ` (it is "${value}")`;
}

/** Only what somebody wrote can contradict: a default that is longer than the session simply ends with it. */
function contradictions(config: AppConfig, given: object): { variable: string; problem: string }[] {
  return (['ACCESS_TOKEN_TTL', 'REFRESH_TOKEN_TTL'] as const)
    .filter((variable) => variable in given && config[variable] > config.SESSION_TTL)
    .map((variable) => ({
      variable,
      problem:
        `${formatDuration(config[variable])} is longer than SESSION_TTL (${formatDuration(config.SESSION_TTL)}), ` +
        'past which no token lives',
    }));
}
