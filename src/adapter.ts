import { type NestApplicationOptions } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { randomUUID } from 'node:crypto';
import {
  type IncomingMessage,
  type OutgoingHttpHeader,
  type OutgoingHttpHeaders,
  ServerResponse,
  STATUS_CODES,
} from 'node:http';
import { type Socket } from 'node:net';
import { ApiError, validationFailed } from './auth/index.js';
import { parseBody } from './json-body.js';

/** Bytes; token requests need a few hundred. A route that takes uploads sets its own `bodyLimit`. */
const BODY_LIMIT = 65_536;
/**
 * Milliseconds in which the head of a request, and the whole of it, must have arrived, and how often that is
 * looked at: slow senders cannot hold connections. Given to Node when the server is made, else it keeps its own.
 */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 15_000, connectionsCheckingInterval: 2_000 };
/** Characters; Node bounds the whole request line already. */
const LONGEST_PARAMETER = 16_384;
/** Milliseconds between two looks for idle connections while shutting down, and until the busy ones are cut too. */
const SHUTDOWN = { sweep: 50, patience: 5_000 };
/** What a caller may choose as request id; anything else could forge log lines, and is replaced. */
const REQUEST_ID = /^[\w.-]{1,64}$/;

type ErrorHandler = Parameters<FastifyAdapter['setErrorHandler']>[0];
type OnRequest = Parameters<Parameters<FastifyAdapter['setOnRequestHook']>[0]>;
type SecurityHook = Parameters<FastifyAdapter['registerSecurityHook']>[0];

/** A reason, the headers, both or neither. */
type HeadRest = (string | OutgoingHttpHeaders | OutgoingHttpHeader[] | undefined)[];

/** Takes headers, and gives them to nobody. */
const NOBODY: Parameters<SecurityHook>[1] = { setHeader: () => {}, removeHeader: () => {} };

/** While it closes, refuses in the shape of every other error; Nest's and Fastify's own 503 have another. */
class Adapter extends FastifyAdapter {
  closing = false;
  /** Nest's, once it comes to set it. */
  errorHandler: ErrorHandler | undefined;
  /** Until it has said which headers it sets. */
  private unheard: SecurityHook | undefined;
  /** The same with every answer, so they are asked for once. */
  securityHeaders: Record<string, string> = {};

  /** The route by which the CORS plugin answers is made before that, and would keep Fastify's own. */
  override setErrorHandler(handler: ErrorHandler): ReturnType<FastifyAdapter['setErrorHandler']> {
    this.errorHandler = handler;
    return this.getInstance();
  }

  /**
   * Nest sets the security headers one by one on Node's response, which then looks at every header of the answer again:
   * a tenth of a small answer. They are put on Fastify's reply, all at once; `securedResponse` has them where somebody
   * answers past it.
   */
  override registerSecurityHook(hook: SecurityHook): void {
    this.unheard = hook;
    super.registerSecurityHook((request) => hook(request, NOBODY));
  }

  setSecurityHeaders(request: OnRequest[0], reply: OnRequest[1]): void {
    if (this.unheard) {
      this.securityHeaders = headersOf(this.unheard, request);
      this.unheard = undefined;
    }
    reply.headers(this.securityHeaders);
  }

  /** Called first of all when the application is closed; requests that have begun are answered all the same. */
  override beforeClose(): void {
    this.closing = true;
    super.beforeClose();
  }

  /** The plugin would refuse OPTIONS that is no preflight, as plain text. */
  override enableCors(options?: Parameters<FastifyAdapter['enableCors']>[0]): void {
    super.enableCors({ ...options, strictPreflight: false });
  }

  override initHttpServer(options?: NestApplicationOptions): void {
    super.initHttpServer({ ...options, return503OnClosing: false });
  }
}

function headersOf(hook: SecurityHook, request: OnRequest[0]): Record<string, string> {
  const headers: Record<string, string> = {};
  hook(request, {
    setHeader: (name, value) => (headers[name.toLowerCase()] = value),
    // What it removes, frameworks add to Node's response, and Fastify adds nothing.
    removeHeader: () => {},
  });
  return headers;
}

/** Node's response, which has the security headers also where middleware or a handler writes to it past Fastify's reply. */
function securedResponse(headers: () => Record<string, string>): typeof ServerResponse {
  return class<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
    override writeHead(status: number, ...rest: HeadRest): this {
      const given = rest.at(-1);
      // A reply has its id, and what it was told to send or to leave out; nobody else does.
      const isReply = typeof given === 'object' && 'x-request-id' in given;
      if (!isReply) {
        for (const [name, value] of Object.entries(headers())) {
          if (!this.hasHeader(name)) this.setHeader(name, value);
        }
      }
      return super.writeHead(status, ...(rest as [OutgoingHttpHeaders]));
    }
  };
}

/**
 * The HTTP server, bounded in what it takes and for how long.
 * @param trustedProxies addresses and networks whose `X-Forwarded-For` is believed; from anybody else it is nothing
 */
export function createAdapter(trustedProxies: readonly string[] = []): FastifyAdapter {
  const adapter: Adapter = new Adapter({
    return503OnClosing: false,
    bodyLimit: BODY_LIMIT,
    // Node would answer a request without `Host` itself: no body, no request id. The hook below does it in our shape.
    http: {
      ...TIMEOUTS,
      requireHostHeader: false,
      ServerResponse: securedResponse(() => adapter.securityHeaders),
    },
    requestTimeout: TIMEOUTS.requestTimeout,
    trustProxy: trustedProxies.length > 0 && [...trustedProxies],
    genReqId: requestId,
    requestIdHeader: false,
    rewriteUrl: ({ url = '/' }) => decodable(url),
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    clientErrorHandler: answerMalformed,
  });
  const fastify = adapter.getInstance();
  fastify.setErrorHandler((error, request, reply) =>
    adapter.errorHandler ? adapter.errorHandler.call(fastify, error, request, reply) : reply.send(error),
  );
  // The first hook of all: preflights are answered by a later one.
  adapter.setOnRequestHook((request, reply, done) => {
    reply.header('x-request-id', request.id);
    adapter.setSecurityHeaders(request, reply);
    // RFC 9112 §3.2.
    const lacksHost = request.headers.host === undefined && request.raw.httpVersion === '1.1';
    done(lacksHost ? validationFailed([{ field: 'Host', messages: ['must be sent'] }]) : undefined);
  });
  // The last one, so that a page may read the refusal.
  fastify.addHook('onRequest', (_, reply, done) => {
    if (!adapter.closing) {
      done();
      return;
    }
    reply.header('Connection', 'close');
    done(new ApiError(503, 'overloaded', 'The server is shutting down; try again shortly'));
  });
  // RFC 9110 §10.1.1: what is expected beyond 100-continue may be ignored; Node's 417 has neither body nor request id.
  fastify.server.on('checkExpectation', (request, response) =>
    fastify.server.emit('request', request, response),
  );
  fastify.addHook('preClose', (done) => {
    // A connection whose request was in flight when closing began would be kept alive, and the process with it; so
    // would one on which nothing ever arrives, because Node no longer looks at its time-outs.
    const sweep = setInterval(() => fastify.server.closeIdleConnections(), SHUTDOWN.sweep);
    const cut = setTimeout(() => fastify.server.closeAllConnections(), SHUTDOWN.patience);
    fastify.server.once('close', () => {
      clearInterval(sweep);
      clearTimeout(cut);
    });
    done();
  });
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_, body, done) => {
    try {
      done(null, parseBody(Buffer.from(body)));
    } catch (error) {
      done(error as Error);
    }
  });
  return adapter;
}

/**
 * The router answers a path that cannot be decoded, or a parameter that is too long, before any hook runs: without
 * security headers, request id or error code. So stray percent signs become literal ones, which no route has, and
 * lead to an ordinary 404.
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

/** What is no HTTP, too large or too slow: Node's parser refuses it before there is a request. Same shape, all the same. */
function answerMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, errorCode] = MALFORMED[error.code ?? ''] ?? [400, 'validation_failed'];
  const message = `${STATUS_CODES[status]}`;
  const errors =
    status === 400 ? { errors: [{ field: 'request', messages: ['is not well-formed HTTP/1.1'] }] } : {};
  const body = JSON.stringify({ statusCode: status, error: message, message, errorCode, ...errors });
  socket.end(
    `HTTP/1.1 ${status} ${message}\r\nConnection: close\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `X-Request-Id: ${randomUUID()}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

const MALFORMED: Record<string, [status: number, errorCode: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request_timeout'],
  HPE_HEADER_OVERFLOW: [431, 'request_header_fields_too_large'],
};
