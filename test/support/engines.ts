import { describe } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { type Engine } from '../../src/database/index.js';
import { ADAPTER } from './adapter-of-run.js';

/** A database of its own for one test file, gone with `drop`. */
export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** Where `global-setup.mjs` leaves the address of the PostgreSQL server, or why there is none. */
export const POSTGRES_URL = 'FRESHGATE_TEST_POSTGRES_URL';
export const POSTGRES_MISSING = 'FRESHGATE_TEST_POSTGRES_MISSING';

/** Declares tests that need PostgreSQL; see `describeEachEngine` for where there is none. */
export const describePostgres = process.env[POSTGRES_URL] === undefined ? describe.skip : describe;

/**
 * Declares the same tests for SQLite and for PostgreSQL. Where no PostgreSQL can be started they are skipped,
 * and the reporter says so at the end of the run; with CI=true the run fails before it begins. What Express does does
 * not depend on the database: its run has SQLite alone.
 */
export function describeEachEngine(name: string, tests: (engine: Engine) => void): void {
  describe(`${name} [sqlite]`, () => tests('sqlite'));
  if (ADAPTER === 'fastify') describePostgres(`${name} [postgres]`, () => tests('postgres'));
}

export async function createTestDatabase(engine: Engine): Promise<TestDatabase> {
  return engine === 'sqlite' ? { url: ':memory:', drop: async () => {} } : createPostgresDatabase();
}

async function createPostgresDatabase(): Promise<TestDatabase> {
  const server = process.env[POSTGRES_URL];
  if (server === undefined) throw new Error('no PostgreSQL server is running for the tests');
  const name = `freshgate_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(server);
  url.pathname = name;
  await administer(server, `create database ${name}`);
  return { url: url.href, drop: () => administer(server, `drop database ${name} with (force)`) };
}

async function administer(server: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
