import { availableParallelism } from 'node:os';
import { join } from 'node:path';

/** Native ESM, because Nest is ESM. `npm test` sets the flag that Node 20 needs for it. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/src', '<rootDir>/test'],
  // Run by `npm run test:hard`.
  testPathIgnorePatterns: ['/node_modules/', '<rootDir>/test/hard/'],
  testMatch: ['**/*.spec.ts', '**/*.e2e-spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  // ES modules that CommonJS requires: Node can do that, Jest on Node 20 cannot.
  transformIgnorePatterns: [
    '/node_modules/(?!(content-disposition|(light-my-request/node_modules/)?cookie)/)',
  ],
  transform: {
    '/(content-disposition|cookie)/.+\\.js$': ['@swc/jest', { module: { type: 'commonjs' } }],
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          target: 'es2022',
          keepClassNames: true,
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
        },
        module: { type: 'es6' },
      },
    ],
  },
  globalSetup: '<rootDir>/test/support/global-setup.mjs',
  globalTeardown: '<rootDir>/test/support/global-teardown.mjs',
  setupFilesAfterEnv: ['reflect-metadata'],
  reporters: ['default', join(import.meta.dirname, 'test/support/summary-reporter.mjs')],
  testTimeout: 90_000,
  // Jest would leave one core free: half of a machine with two.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // What test files leave behind in a worker slows the next ones: a larger heap to collect, and on Node 20 a call for
  // each `AsyncLocalStorage` at every new promise. A new worker costs a second.
  workerIdleMemoryLimit: '600MB',
};
