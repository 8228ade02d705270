import config from '../../jest.config.mjs';

/** `npm run test:hard`: the tests in this folder alone, which are too slow for each run. */
export default {
  ...config,
  rootDir: '../..',
  roots: ['<rootDir>/test/hard'],
  testPathIgnorePatterns: ['/node_modules/'],
};
