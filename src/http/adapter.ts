import { FastifyAdapter } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import { type IncomingMessage } from 'node:http';
import { boundsOf } from './body-bounds.js';
import { InFlight } from './in-flight.js';
import { parseBody } from './json-body.js';
import { answerMalformedHttp } from './malformed-http.js';
import { malformed, refusal } from './refusal.js';
import { trustProxies, UntrustedForwarding } from './trusted-proxies.js';

/**
 * Milliseconds within which the head of a request and the whole request must arrive, and between two checks: slow
 * senders must not hold connections. Node accepts these only when the server is created.
 */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 15_000, connectionsCheckingInterval: 2_000 };
/** Characters; Node already limits the whole request line. */
const MAX_PARAMETER_LENGTH = 16_384;
/** While shutting down: how often idle connections are closed, and after how long busy ones are closed too. */
const CLOSE_IDLE_EVERY_MS = 50;
const CLOSE_ALL_AFTER_MS = 5_000;
/**
 * The form of a request id that a caller may choose. Anything else could forge log lines and is replaced, and so is a JWT,
 * whose header begins with `eyJ`: ids are logged as they are.
 */
const REQUEST_ID = /^(?!.*eyJ)[\w.-]{1,64}$/;

type ErrorHandler = Parameters<FastifyAdapter['setErrorHandler']>[0];
type Fastify = ReturnType<FastifyAdapter['setErrorHandler']>;

class Adapter extends FastifyAdapter {
  closing = false;
  errorHandler: ErrorHandler | undefined;

  /**
   * Nest sets its error handler late: the CORS plugin has created its route for preflights by then, which would keep
   * Fastify's own handler and format. So one handler is set at once and delegates to Nest's.
   */
  override setErrorHandler(handler: ErrorHandler): Fastify {
    this.errorHandler = handler;
    return this.getInstance();
  }

  /** Nest calls this when shutdown begins: from now on new requests are refused, and those in progress are answered. */
  override beforeClose(): void {
    this.closing = true;
    super.beforeClose();
  }
}

/**
 * Creates the HTTP server, with limits on size, time and number of requests.
 * @param trustedProxies addresses and networks whose `X-Forwarded-For` is trusted; from others it is ignored
 */
export function createAdapter(trustedProxies: readonly string[] = []): FastifyAdapter {
  const trusts = trustProxies(trustedProxies);
  const adapter = new Adapter({
    // A hook below refuses instead, in the shape of every other error.
    return503OnClosing: false,
    bodyLimit: boundsOf(undefined).bytes,
    // Node would answer a request without `Host` with neither body nor request id. A hook below answers in our shape.
    http: { ...TIMEOUTS, requireHostHeader: false },
    requestTimeout: TIMEOUTS.requestTimeout,
    trustProxy: trustedProxies.length > 0 && trusts,
    genReqId: requestId,
    requestIdHeader: false,
    rewriteUrl: ({ url = '/' }) => decodable(url),
    routerOptions: { maxParamLength: MAX_PARAMETER_LENGTH },
    clientErrorHandler: answerMalformedHttp,
  });
  const fastify: Fastify = adapter.getInstance();
  fastify.setErrorHandler((error, request, reply) =>
    adapter.errorHandler ? adapter.errorHandler.call(fastify, error, request, reply) : reply.send(error),
  );
  fastify.addHook('onRoute', (route) => {
    route.bodyLimit ??= boundsOf(route.url).bytes;
  });
  const inFlight = new InFlight();
  const forwarding = new UntrustedForwarding(trusts);
  // This hook runs first: a later one answers preflights.
  adapter.setOnRequestHook((request, reply, done) => {
    reply.header('x-request-id', request.id);
    forwarding.notice(request.raw);
    // RFC 9112 §3.2.
    const lacksHost = request.headers.host === undefined && request.raw.httpVersion === '1.1';
    inFlight.admit(request.raw, reply.raw, () =>
      done(lacksHost ? malformed('Host', 'must be sent') : undefined),
    );
  });
  // The last hook, so that CORS headers are set and a page can read the refusal.
  fastify.addHook('onRequest', (_, reply, done) => {
    if (!adapter.closing) {
      done();
      return;
    }
    reply.header('Connection', 'close');
    done(refusal(503, 'overloaded', 'The server is shutting down; try again shortly'));
  });
  // RFC 9110 §10.1.1: other expectations than 100-continue may be ignored. Node's 417 has neither body nor request id.
  fastify.server.on('checkExpectation', (request, response) =>
    fastify.server.emit('request', request, response),
  );
  fastify.addHook('preClose', (done) => {
    closeConnections(fastify);
    done();
  });
  parseBodies(fastify);
  return adapter;
}

function parseBodies(fastify: Fastify): void {
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, parseBody(Buffer.from(body), boundsOf(request.routeOptions.url)));
    } catch (error) {
      done(error as Error);
    }
  });
  // Proxies and clients send `Transfer-Encoding: chunked` or a media type without a body: a logout must not fail
  // because of that.
  fastify.addContentTypeParser('*', (_, payload, done) => {
    payload.once('data', () => {
      payload.pause();
      done(refusal(415, 'unsupported_media_type', 'Content-Type must be application/json'));
    });
    payload.once('end', () => done(null, undefined));
    payload.once('error', done);
  });
}

/**
 * Closes connections that would keep the process alive: those whose request was in progress when shutdown began, and
 * those on which nothing ever arrives, because Node no longer checks its time-outs.
 */
function closeConnections({ server }: Fastify): void {
  const sweep = setInterval(() => server.closeIdleConnections(), CLOSE_IDLE_EVERY_MS);
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_ALL_AFTER_MS);
  server.once('close', () => {
    clearInterval(sweep);
    clearTimeout(cut);
  });
}

/**
 * Makes every path decodable: the router would answer other paths before any hook runs, without security headers,
 * request id and error code. Stray percent signs become literal ones, which no route has: an ordinary 404.
 */
function decodable(url: string): string {
  if (!url.includes('%')) return url;
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
