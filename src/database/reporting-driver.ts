import { type DatabaseConnection, type Driver, type TransactionSettings } from 'kysely';
import { DatabaseUnavailableError, isUnavailable } from './database-errors.js';

/**
 * Tells apart, where it happens, a database that cannot answer now from every other error. Later nobody could: a
 * refused connection may be that of any service which a handler calls.
 */
export class ReportingDriver implements Driver {
  private readonly seen = new WeakSet<DatabaseConnection>();

  constructor(private readonly driver: Driver) {}

  async init(): Promise<void> {
    await this.driver.init();
  }

  async acquireConnection(): Promise<DatabaseConnection> {
    const connection = await reporting(() => this.driver.acquireConnection());
    if (!this.seen.has(connection)) {
      this.seen.add(connection);
      const execute = connection.executeQuery.bind(connection);
      connection.executeQuery = (query) => reporting(() => execute(query));
    }
    return connection;
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    await reporting(() => this.driver.beginTransaction(connection, settings));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await reporting(() => this.driver.commitTransaction(connection));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await this.driver.rollbackTransaction(connection);
  }

  async releaseConnection(connection: DatabaseConnection): Promise<void> {
    await this.driver.releaseConnection(connection);
  }

  async destroy(): Promise<void> {
    await this.driver.destroy();
  }
}

/** Takes a function, since a driver may also throw before it returns a promise. */
async function reporting<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const known = error instanceof DatabaseUnavailableError;
    throw !known && isUnavailable(error) ? new DatabaseUnavailableError(error) : error;
  }
}
