import { type AbstractHttpAdapter } from '@nestjs/core';
import { type FastifyAdapter } from '@nestjs/platform-fastify';
import { type IncomingMessage, type ServerResponse } from 'node:http';

/** A request that has been answered, or given up, for whoever counts or logs it. Holds no secret: no header, no query. */
export interface RequestEnd {
  /** As sent; Node's parser knows about 35, and refuses others. */
  method: string;
  /** What the route is declared as, `/admin/users/:id`; undefined where none matched. */
  route: string | undefined;
  /** Without the query string. Anything a caller likes: never a label. */
  path: string;
  status: number;
  /** Milliseconds from the first look at the request to the last byte of the answer. */
  duration: number;
  /** That of the answer's `X-Request-Id`. */
  requestId: string;
  errorCode: string | undefined;
  /** The client left before it had the answer. */
  aborted: boolean;
}

/** Left on the request by the filter that answers errors. */
interface Refused {
  errorCode?: string;
}
type ExpressRequest = IncomingMessage & Refused & { originalUrl?: string; route?: { path?: unknown } };
type Next = () => void;

/** Characters; a longer path says nothing more. */
const MAX_PATH_LENGTH = 256;

/**
 * Tells of every request when it is over, those too that were answered before any middleware ran: preflights, bodies
 * that cannot be parsed, what is refused while closing. To be called before routes are registered: from `configure`
 * of a module.
 */
export function onRequestEnd(adapter: AbstractHttpAdapter, listener: (end: RequestEnd) => void): void {
  if (adapter.getType() === 'fastify') {
    const fastify = (adapter as FastifyAdapter).getInstance();
    fastify.addHook('onResponse', (request, reply, done) => {
      listener({
        method: request.method,
        route: request.is404 ? undefined : request.routeOptions.url,
        path: pathOf(request.originalUrl),
        status: reply.statusCode,
        duration: reply.elapsedTime,
        requestId: request.id,
        errorCode: (request as Refused).errorCode,
        aborted: !reply.raw.writableFinished,
      });
      done();
    });
    return;
  }
  adapter.use((request: ExpressRequest, response: ServerResponse, next: Next) => {
    const began = performance.now();
    response.once('close', () => {
      const route = request.route?.path;
      listener({
        method: request.method ?? '',
        route: typeof route === 'string' ? route : undefined,
        path: pathOf(request.originalUrl ?? ''),
        status: response.statusCode,
        duration: performance.now() - began,
        requestId: String(response.getHeader('X-Request-Id') ?? ''),
        errorCode: request.errorCode,
        aborted: !response.writableFinished,
      });
    });
    next();
  });
}

function pathOf(url: string): string {
  const end = url.indexOf('?');
  return (end < 0 ? url : url.slice(0, end)).slice(0, MAX_PATH_LENGTH);
}
