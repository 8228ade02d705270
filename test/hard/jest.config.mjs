import { join } from 'node:path';
import config from '../../jest.config.mjs';

const rootDir = join(import.meta.dirname, '../..');
const { reporters, maxWorkers, workerIdleMemoryLimit, testTimeout, ...project } = config;
const common = { ...project, rootDir, testPathIgnorePatterns: ['/node_modules/'] };

/** Tests that depend on the HTTP adapter: they run again on Express, which an application may use instead of Fastify. */
const ADAPTER_SUITES = [
  'accounts/admin',
  'accounts/own-user-store',
  'cookies/cookies',
  'cookies/csrf',
  'hard/guard/async-context',
  'hard/guard/caching',
  'guard/declarations',
  'guard/fresh-access',
  'guard/policies',
  'guard/policy-matrix',
  'guard/roles',
  'guard/team-enhancers',
  'limits/callers',
  'login/login',
  'operation/metrics',
  'options/hooks',
  'options/independent-apps',
  'options/every-option',
  'refresh/refresh',
  'sessions/end-of-session',
  'testing/kit',
  'tokens/authenticator',
  'tokens/locations',
];

/** `npm run test:hard`: the tests in this folder, too slow for every run, and the adapter tests on Express. */
export default {
  rootDir,
  reporters,
  maxWorkers,
  workerIdleMemoryLimit,
  testTimeout,
  testSequencer: '<rootDir>/test/hard/longest-first.mjs',
  projects: [
    { ...common, displayName: 'hard', roots: ['<rootDir>/test/hard'] },
    {
      ...common,
      displayName: 'express',
      roots: ['<rootDir>/test'],
      globals: { FRESHGATE_TEST_ADAPTER: 'express' },
      testMatch: ADAPTER_SUITES.map((name) => `<rootDir>/test/${name}.e2e-spec.ts`),
    },
  ],
};
