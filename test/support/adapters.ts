import { describe } from '@jest/globals';
import { type AbstractHttpAdapter } from '@nestjs/core';
import { type ExpressAdapter } from '@nestjs/platform-express';
import { randomUUID } from 'node:crypto';
import { type IncomingMessage, type ServerResponse } from 'node:http';
import { createAdapter } from '../../src/http/adapter.js';
import { type Engine } from '../../src/database/index.js';
import { boundsOf } from '../../src/http/body-bounds.js';
import { parseBody } from '../../src/http/json-body.js';
import { trustProxies } from '../../src/http/trusted-proxies.js';
import { type AdapterName } from './adapter-of-run.js';
import { describePostgres } from './engines.js';

export { ADAPTER, type AdapterName } from './adapter-of-run.js';

/** What an application runs on. */
export interface Stack {
  adapter: AdapterName;
  engine: Engine;
}

export async function createNamedAdapter(
  name: AdapterName,
  trustedProxies: readonly string[] = [],
): Promise<AbstractHttpAdapter> {
  return name === 'fastify' ? createAdapter(trustedProxies) : createExpressAdapter(trustedProxies);
}

/** Declares the same tests on both adapters, and on PostgreSQL as `describeEachEngine` does. */
export function describeEachStack(name: string, tests: (stack: Stack) => void): void {
  describe(`${name} [fastify, sqlite]`, () => tests({ adapter: 'fastify', engine: 'sqlite' }));
  describe(`${name} [express, sqlite]`, () => tests({ adapter: 'express', engine: 'sqlite' }));
  describePostgres(`${name} [fastify, postgres]`, () => tests({ adapter: 'fastify', engine: 'postgres' }));
}

/** Declares the same tests on both adapters, for what no database has a part in. */
export function describeEachAdapter(name: string, tests: (stack: Stack) => void): void {
  describe(`${name} [fastify]`, () => tests({ adapter: 'fastify', engine: 'sqlite' }));
  describe(`${name} [express]`, () => tests({ adapter: 'express', engine: 'sqlite' }));
}

type ExpressRequest = IncomingMessage & { id?: string; body?: unknown };
type Next = (error?: unknown) => void;

/** An Express that takes JSON alone and gives every answer a request id, as `createAdapter` does. */
async function createExpressAdapter(trustedProxies: readonly string[]): Promise<ExpressAdapter> {
  // Loaded when it is needed: each test file would load its hundred modules.
  const { ExpressAdapter } = await import('@nestjs/platform-express');
  const adapter = new ExpressAdapter();
  adapter.set('trust proxy', trustedProxies.length > 0 && trustProxies(trustedProxies));
  adapter.use((request: ExpressRequest, response: ServerResponse, next: Next) => {
    request.id = randomUUID();
    response.setHeader('X-Request-Id', request.id);
    next();
  });
  adapter.useBodyParser('raw', false, { type: 'application/json', limit: '64kb' });
  adapter.use((request: ExpressRequest, _: ServerResponse, next: Next) => {
    try {
      if (Buffer.isBuffer(request.body)) request.body = parseBody(request.body, boundsOf(request.url));
      next();
    } catch (error) {
      next(error);
    }
  });
  return adapter;
}
