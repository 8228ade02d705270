import { type AbstractHttpAdapter } from '@nestjs/core';
import { type FastifyAdapter } from '@nestjs/platform-fastify';
import { AsyncLocalStorage } from 'node:async_hooks';
import { type IncomingMessage, type ServerResponse } from 'node:http';

const requests = new AsyncLocalStorage<{ requestId: string }>();

/** For every line: the id of the request that it is written for, where there is one. A new object: pino adds to it. */
export function currentRequest(): object {
  return { ...requests.getStore() };
}

/**
 * From then on each request is worked on in a scope of its own. To be called before routes are registered: from
 * `configure` of a module.
 */
export function scopeRequests(adapter: AbstractHttpAdapter): void {
  if (adapter.getType() === 'fastify') {
    const fastify = (adapter as FastifyAdapter).getInstance();
    fastify.addHook('onRequest', ({ id: requestId }, _reply, done) => requests.run({ requestId }, done));
    // The end of a body is told by the connection, which is in no request's scope.
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
