export type AdapterName = 'fastify' | 'express';

/** What applications run on: Fastify, and Express where the run is that of `test/hard/jest.config.mjs` for it. */
export const ADAPTER: AdapterName =
  (globalThis as { FRESHGATE_TEST_ADAPTER?: AdapterName }).FRESHGATE_TEST_ADAPTER ?? 'fastify';
