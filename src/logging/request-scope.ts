import { type AbstractHttpAdapter } from '@nestjs/core';
import { type FastifyAdapter } from '@nestjs/platform-fastify';
import { AsyncLocalStorage } from 'node:async_hooks';
import { type IncomingMessage, type ServerResponse } from 'node:http';

const requests = new AsyncLocalStorage<{ requestId: string }>();

/** Returns the request id for a log line, if it belongs to a request. A new object, because pino adds to it. */
export function currentRequest(): object {
  return { ...requests.getStore() };
}

/** Gives each request an async scope. Call it before routes are registered: in `configure` of a module. */
export function scopeRequests(adapter: AbstractHttpAdapter): void {
  if (adapter.getType() === 'fastify') {
    const fastify = (adapter as FastifyAdapter).getInstance();
    fastify.addHook('onRequest', ({ id: requestId }, _reply, done) => requests.run({ requestId }, done));
    // The connection emits the end of a body outside of the scope of the request, so the scope is entered again.
    fastify.addHook('preValidation', ({ id: requestId, body }, _reply, done) => {
      if (body === undefined) done();
      else requests.run({ requestId }, done);
    });
    return;
  }
  adapter.use((_: IncomingMessage, response: ServerResponse, next: () => void) => {
    const requestId = response.getHeader('X-Request-Id');
    if (typeof requestId === 'string') requests.run({ requestId }, next);
    else next();
  });
}
