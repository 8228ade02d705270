import { type INestApplication, type NestApplicationOptions } from '@nestjs/common';
import { AuthOptions, createValidationPipe } from './auth/index.js';
import { type AppConfig } from './config/config.js';
import { apiSecurityHeaders, usePageSecurityHeaders } from './http/security-headers.js';
import { setupOpenApi } from './openapi/setup.js';

export const APP_OPTIONS: NestApplicationOptions = {
  abortOnError: false,
  // Only JSON is parsed, see `http/adapter.ts`: a form that another site submits is refused with 415.
  bodyParser: false,
  // A feature that declares an existing route, such as `/auth/login`, stops the start.
  // Fastify prefers the exact path, so a route with parameters cannot hide a later one.
  routeConflictPolicy: { duplicate: 'error' },
};

/** Sets up the HTTP server around the modules. Test applications use it too. */
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
      // With tokens in cookies, pages of these origins may send them.
      credentials: app.get(AuthOptions, { strict: false }).locations.order.includes('cookie'),
      // Fastify's plugin would refuse an OPTIONS request that is not a preflight, in plain text.
      strictPreflight: false,
    };
    app.enableCors(cors);
  }
  app.useGlobalPipes(createValidationPipe());
  if (server.servesOpenApi) {
    usePageSecurityHeaders(app.getHttpAdapter(), '/docs');
    setupOpenApi(app);
  }
  return app;
}
