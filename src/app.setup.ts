import { type INestApplication, type NestApplicationOptions } from '@nestjs/common';
import { AuthOptions, createValidationPipe } from './auth/index.js';
import { type AppConfig } from './config/config.js';
import { apiSecurityHeaders, usePageSecurityHeaders } from './http/security-headers.js';
import { setupOpenApi } from './openapi/setup.js';

export const APP_OPTIONS: NestApplicationOptions = {
  abortOnError: false,
  // JSON alone is parsed, see `http/adapter.ts`: a form that another site submits is refused with 415.
  bodyParser: false,
  // A feature that declares a route of another, `/auth/login` say, stops the start.
  // Whether a route hides another that comes after it is nothing to Fastify, which looks for the exact path first.
  routeConflictPolicy: { duplicate: 'error' },
};

/** Everything between the modules and the socket; the tests' applications go through it too. */
export function configureApp<App extends INestApplication>(app: App, { server }: AppConfig): App {
  app.useSecurityHeaders(apiSecurityHeaders(server.isProduction));
  if (server.corsOrigins.length > 0) {
    const cors = {
      origin: [...server.corsOrigins],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: [
        'WWW-Authenticate',
        'Retry-After',
        'RateLimit',
        'RateLimit-Policy',
        'X-Request-Id',
        'X-Device-Token',
      ],
      maxAge: 600,
      // Pages of these origins may send the cookies along, where tokens are in cookies.
      credentials: app.get(AuthOptions, { strict: false }).locations.order.includes('cookie'),
      // Fastify's plugin would refuse OPTIONS that is no preflight, as plain text.
      strictPreflight: false,
    };
    app.enableCors(cors);
  }
  app.useGlobalPipes(createValidationPipe());
  app.enableShutdownHooks();
  if (server.servesOpenApi) {
    usePageSecurityHeaders(app.getHttpAdapter(), '/docs');
    setupOpenApi(app);
  }
  return app;
}
