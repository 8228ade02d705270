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
 * Milliseconds in which the head of a request, and the whole of it, must have arrived, and how often that is
 * looked at: slow senders cannot hold connections. Given to Node when the server is made, else it keeps its own.
 */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 15_000, connectionsCheckingInterval: 2_000 };
/** Characters; Node bounds the whole request line already. */
const MAX_PARAMETER_LENGTH = 16_384;
/** Milliseconds between two looks for idle connections while shutting down, and until the busy ones are cut too. */
const SHUTDOWN = { sweep: 50, patience: 5_000 };
/** What a caller may choose as request id; anything else could forge log lines, and is replaced. */
const REQUEST_ID = /^[\w.-]{1,64}$/;

type ErrorHandler = Parameters<FastifyAdapter['setErrorHandler']>[0];
type Fastify = ReturnType<FastifyAdapter['setErrorHandler']>;

class Adapter extends FastifyAdapter {
  closing = false;
  errorHandler: ErrorHandler | undefined;

  /**
   * Nest sets its handler when it starts. By then the CORS plugin has made its route for preflights, which would keep the
   * handler of Fastify and its other shape of errors; so one handler is set at once, and asks for Nest's.
   */
  override setErrorHandler(handler: ErrorHandler): Fastify {
    this.errorHandler = handler;
    return this.getInstance();
  }

  /** The only sign that closing begins: from here on requests are refused, and those that have begun are answered. */
  override beforeClose(): void {
    this.closing = true;
    super.beforeClose();
  }
}

/**
 * The HTTP server, bounded in what it takes and for how long.
 * @param trustedProxies addresses and networks whose `X-Forwarded-For` is believed; from others it is ignored
 */
export function createAdapter(trustedProxies: readonly string[] = []): FastifyAdapter {
  const trusts = trustProxies(trustedProxies);
  const adapter = new Adapter({
    // Refused below, in the shape of every other error.
    return503OnClosing: false,
    bodyLimit: boundsOf(undefined).bytes,
    // Node would answer a request without `Host` itself: no body, no request id. A hook below does it in our shape.
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
  // The first hook of all: preflights are answered by a later one.
  adapter.setOnRequestHook((request, reply, done) => {
    reply.header('x-request-id', request.id);
    forwarding.notice(request.raw);
    // RFC 9112 §3.2.
    const lacksHost = request.headers.host === undefined && request.raw.httpVersion === '1.1';
    inFlight.admit(request.raw, reply.raw, () =>
      done(lacksHost ? malformed('Host', 'must be sent') : undefined),
    );
  });
  // The last one, so that a page may read the refusal.
  fastify.addHook('onRequest', (_, reply, done) => {
    if (!adapter.closing) {
      done();
      return;
    }
    reply.header('Connection', 'close');
    done(refusal(503, 'overloaded', 'The server is shutting down; try again shortly'));
  });
  // RFC 9110 §10.1.1: what is expected beyond 100-continue may be ignored; Node's 417 has neither body nor request id.
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
  // Proxies and clients send `Transfer-Encoding: chunked`, or a type, with no body at all: a logout must not fail for it.
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
 * A connection whose request was in flight when closing began would be kept alive, and the process with it; so would one
 * on which nothing ever arrives, because Node no longer looks at its time-outs.
 */
function closeConnections({ server }: Fastify): void {
  const sweep = setInterval(() => server.closeIdleConnections(), SHUTDOWN.sweep);
  const cut = setTimeout(() => server.closeAllConnections(), SHUTDOWN.patience);
  server.once('close', () => {
    clearInterval(sweep);
    clearTimeout(cut);
  });
}

/**
 * The router answers a path that cannot be decoded before any hook runs: without security headers, request id or error
 * code. So stray percent signs become literal ones, which no route has, and lead to an ordinary 404.
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
