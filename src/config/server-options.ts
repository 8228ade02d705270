import { IsOptional } from 'class-validator';
import { parseDuration } from '../time/duration.js';
import { IsDuration } from '../time/is-duration.js';
import { FromEnv } from './from-env.js';
import { AreNetworks, AreOrigins, IsAppUrl, IsText, IsWholeNumber, MustBe, ToList } from './validators.js';

const LOG_LEVELS = ['silent', 'fatal', 'error', 'warn', 'info', 'debug', 'trace'];

/** The settings of the server around the modules. */
export class ServerOptions {
  /** In `production` keys are never generated, cookies are `Secure`, the log is JSON, and OpenAPI is off. */
  @FromEnv('NODE_ENV')
  @MustBe(['production', 'development', 'test'])
  readonly environment: 'production' | 'development' | 'test' = 'development';

  /** Address to listen on. `0.0.0.0` is every IPv4 interface. */
  @FromEnv('HOST')
  @IsText()
  readonly host: string = '127.0.0.1';

  /** Port to listen on. `0` lets the system choose one. */
  @FromEnv('PORT')
  @IsWholeNumber(0, 65_535)
  readonly port: number = 3000;

  /** Minimum level of the log. */
  @FromEnv('LOG_LEVEL')
  @MustBe(LOG_LEVELS)
  readonly logLevel: string = 'info';

  /** Port of `GET /metrics`. Without it there are no metrics. */
  @FromEnv('METRICS_PORT')
  @IsOptional()
  @IsWholeNumber(0, 65_535)
  readonly metricsPort: number | undefined = undefined;

  /** Address of `GET /metrics`. */
  @FromEnv('METRICS_HOST')
  @IsText()
  readonly metricsHost: string = '127.0.0.1';

  /**
   * `file:PATH` (embedded SQLite; one process owns the file), `:memory:`, or
   * `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
   */
  @FromEnv('DATABASE_URL', { secret: true })
  @IsText()
  readonly databaseUrl: string = 'file:./data/freshgate.db';

  /** PostgreSQL connections of the pool of each instance; one more listens. */
  @FromEnv('DATABASE_POOL')
  @IsWholeNumber(1, 1_000)
  readonly databasePool: number = 10;

  /**
   * Private JWK Set, mode 0600. Generated on the first start outside production; required in production. Keep it like a
   * password.
   */
  @FromEnv('AUTH_KEYS_FILE')
  @IsText()
  readonly keysFile: string = './data/keys.json';

  /**
   * Origins whose pages may call the API: `https://app.example`, or an app shell like `capacitor://localhost`. The CSRF
   * check trusts them too.
   */
  @FromEnv('CORS_ORIGINS')
  @AreOrigins()
  @ToList()
  readonly corsOrigins: readonly string[] = [];

  /**
   * Addresses and networks of your reverse proxies. Behind a proxy that is not listed, all clients share its address and
   * its rate limits.
   */
  @FromEnv('TRUSTED_PROXIES')
  @AreNetworks()
  @ToList()
  readonly trustedProxies: readonly string[] = [];

  /**
   * Whether Swagger UI (`/docs`) and `/openapi.json` are served.
   * @default on; off in production
   */
  @FromEnv('OPENAPI')
  @IsOptional()
  @MustBe(['on', 'off'])
  readonly openapi: 'on' | 'off' | undefined = undefined;

  /**
   * Where people reach the application: links in mails begin with it, and passkeys belong to its domain, which cannot be an
   * IP address. Never read from a request. Required in production.
   * @default http://localhost:PORT outside production
   */
  @FromEnv('APP_URL')
  @IsOptional()
  @IsAppUrl()
  readonly appUrl: string | undefined = undefined;

  /**
   * How long the server goes on after `SIGTERM`, not ready, before it closes: the time that the load balancer needs to notice.
   */
  @FromEnv('SHUTDOWN_DRAIN')
  @IsDuration({ min: '0s', max: '10m' })
  readonly shutdownDrain: number = parseDuration('0s');

  get isProduction(): boolean {
    return this.environment === 'production';
  }

  get servesOpenApi(): boolean {
    return (this.openapi ?? (this.isProduction ? 'off' : 'on')) === 'on';
  }
}
