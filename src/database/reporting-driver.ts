import { type DatabaseConnection, type Driver, type TransactionSettings } from 'kysely';
import { DatabaseUnavailableError, isUnavailable } from './database-errors.js';

/**
 * Tells apart, where it happens, a database that cannot answer now from every other error. Later nobody could: a
 * refused connection may be that of any service which a handler calls.
 * No function here is `async`: each would make two promises more for every query.
 */
export class ReportingDriver implements Driver {
  private readonly seen = new WeakSet<DatabaseConnection>();

  constructor(private readonly driver: Driver) {}

  init(): Promise<void> {
    return this.driver.init();
  }

  acquireConnection(): Promise<DatabaseConnection> {
    return this.driver.acquireConnection().then((connection) => this.watch(connection), report);
  }

  beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    return this.driver.beginTransaction(connection, settings).catch(report);
  }

  commitTransaction(connection: DatabaseConnection): Promise<void> {
    return this.driver.commitTransaction(connection).catch(report);
  }

  rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    return this.driver.rollbackTransaction(connection);
  }

  releaseConnection(connection: DatabaseConnection): Promise<void> {
    return this.driver.releaseConnection(connection);
  }

  destroy(): Promise<void> {
    return this.driver.destroy();
  }

  private watch(connection: DatabaseConnection): DatabaseConnection {
    if (!this.seen.has(connection)) {
      this.seen.add(connection);
      const execute = connection.executeQuery.bind(connection);
      connection.executeQuery = (query) => execute<never>(query).catch(report);
    }
    return connection;
  }
}

function report(error: unknown): never {
  const known = error instanceof DatabaseUnavailableError;
  throw !known && isUnavailable(error) ? new DatabaseUnavailableError(error) : error;
}
