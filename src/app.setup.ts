import { type NestApplicationOptions } from '@nestjs/common';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { createValidationPipe } from './auth/index.js';
import { type AppConfig } from './config/app-config.js';
import { setupOpenApi } from './openapi.js';

/** Bytes; token requests need a few hundred. A route that takes uploads sets its own `bodyLimit`. */
const BODY_LIMIT = 65_536;
/** Milliseconds in which a request must have arrived whole, so that slow senders cannot hold connections. */
const REQUEST_TIMEOUT = 15_000;
/** Characters; Node bounds the whole request line already. */
const LONGEST_PARAMETER = 16_384;
/** Milliseconds. */
const SHUTDOWN_SWEEP = 50;
/** What a caller may choose as request id; anything else could forge log lines, and is replaced. */
const REQUEST_ID = /^[\w.-]{1,64}$/;

export const APP_OPTIONS: NestApplicationOptions = {
  abortOnError: false,
  // JSON alone is parsed, see `createAdapter`: a form that another site submits is refused with 415.
  bodyParser: false,
  return503OnClosing: true,
  // A feature that declares a route of another, `/auth/login` say, stops the start.
  routeConflictPolicy: { duplicate: 'error', shadow: 'error' },
};

export function createAdapter(): FastifyAdapter {
  const adapter = new FastifyAdapter({
    bodyLimit: BODY_LIMIT,
    requestTimeout: REQUEST_TIMEOUT,
    genReqId: requestId,
    requestIdHeader: false,
    rewriteUrl: ({ url = '/' }) => decodable(url),
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
  });
  const fastify = adapter.getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    reply.header('X-Request-Id', request.id);
    done();
  });
  fastify.addHook('preClose', (done) => {
    // A connection whose request was in flight when closing began would be kept alive, and the process with it.
    const sweep = setInterval(() => fastify.server.closeIdleConnections(), SHUTDOWN_SWEEP);
    fastify.server.once('close', () => clearInterval(sweep));
    done();
  });
  fastify.removeAllContentTypeParsers();
  const parseJson = fastify.getDefaultJsonParser('error', 'error');
  fastify.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    // Many clients send the header with every POST; nothing is not malformed JSON.
    if (body.length === 0) done(null, undefined);
    else void parseJson(request, body.toString(), done);
  });
  return adapter;
}

/**
 * The router answers a path that cannot be decoded, or a parameter that is too long, before any hook runs: without
 * security headers, request id or error code. So stray percent signs become literal ones, which no route has, and
 * lead to an ordinary 404.
 */
function decodable(url: string): string {
  const [path = '', ...query] = url.split('?');
  try {
    decodeURIComponent(path);
    return url;
  } catch {
    return [path.replaceAll('%', '%25'), ...query].join('?');
  }
}

function requestId(request: IncomingMessage): string {
  const given = request.headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Everything between the modules and the socket; the tests' applications go through it too. */
export function configureApp(app: NestFastifyApplication, config: AppConfig): NestFastifyApplication {
  app.useSecurityHeaders();
  if (config.CORS_ORIGINS.length > 0) {
    app.enableCors({
      origin: [...config.CORS_ORIGINS],
      methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: ['WWW-Authenticate', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-Id'],
      maxAge: 600,
    });
  }
  app.useGlobalPipes(createValidationPipe());
  app.enableShutdownHooks();
  setupOpenApi(app);
  return app;
}
