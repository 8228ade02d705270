import { type AbstractHttpAdapter } from '@nestjs/core';
import { type FastifyAdapter } from '@nestjs/platform-fastify';
import { type IncomingMessage, type ServerResponse } from 'node:http';

/** A request that was answered or aborted, for logs and metrics. Contains no secret: no header and no query. */
export interface RequestEnd {
  /** As sent; Node's parser accepts about 35 methods. */
  method: string;
  /** The declared path, such as `/admin/users/:id`; undefined if none matched. */
  route: string | undefined;
  /** Without the query string. A caller can send anything, so it must never be a label. */
  path: string;
  status: number;
  /** Milliseconds from the first hook to the last byte of the answer. */
  duration: number;
  /** The `X-Request-Id` of the answer. */
  requestId: string;
  errorCode: string | undefined;
  /** The client disconnected before the answer was complete. */
  aborted: boolean;
}

/** Set by the filter that answers errors. */
interface Refused {
  errorCode?: string;
}
type ExpressRequest = IncomingMessage & Refused & { originalUrl?: string; route?: { path?: unknown } };
type Next = () => void;

/** Maximum characters of a logged path. */
const MAX_PATH_LENGTH = 256;

/**
 * Calls back at the end of every request, also of those answered before any middleware: preflights, bodies that cannot
 * be parsed, refusals while shutting down. Call it before routes are registered: in `configure` of a module.
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
