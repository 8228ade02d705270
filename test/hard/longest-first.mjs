import TestSequencer from '@jest/test-sequencer';

/**
 * The suites that take longest, the longest first: one that begins last runs alone. Jest knows their times only from an
 * earlier run, and goes by the size of the file without one, as on a CI machine.
 */
const LONGEST = ['tools/remove-example', 'refresh/rotation-races', 'tools/new-features', 'library/library'];

const placeOf = ({ path }) => {
  const place = LONGEST.findIndex((name) => path.endsWith(`/test/hard/${name}.e2e-spec.ts`));
  return place === -1 ? LONGEST.length : place;
};

export default class LongestFirst extends TestSequencer {
  sort(tests) {
    // In place.
    super.sort(tests);
    return tests.toSorted((a, b) => placeOf(a) - placeOf(b));
  }
}
