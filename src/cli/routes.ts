import { NestFactory } from '@nestjs/core';
import { createAdapter } from '../http/adapter.js';
import { AppModule, explainFailedStart } from '../app.module.js';
import { AuthOptions } from '../auth/index.js';
import { listCalls, listRoutes } from '../auth/internals.js';
import { loadConfig } from '../app.config.js';
import { readEnvironment } from '../config/environment.js';
import { OperatorError, parseWords } from './operator.js';
import { SERVED_DOCUMENTS } from '../openapi/served-documents.js';
import { describeDocuments, describeRoutes, formatRoutes } from './route-table.js';

const USAGE = `Usage:
  npm run routes              list every route and other handler, and what it requires
  npm run -s routes -- --json list them as JSON

No server is started: the database and the keys stay as they are. HEAD is answered wherever GET is. Metrics, on a port
of their own, are not listed.
`;

async function run(args: string[]): Promise<string> {
  const { values, positionals } = parseWords(args, { json: { type: 'boolean' } });
  if (values.help) return USAGE;
  if (positionals.length > 0) throw new OperatorError(`Unexpected: ${positionals.join(' ')}`);
  // The application is created but not initialised, so it does not open the database of a running server.
  const config = loadConfig({ ...readEnvironment(), DATABASE_URL: ':memory:' });
  const options = { logger: false, abortOnError: false } as const;
  const app = await NestFactory.create(AppModule.forRoot(config), createAdapter(), options);
  const routes = [
    ...describeRoutes(
      [...listRoutes(app), ...listCalls(app)],
      app.get(AuthOptions, { strict: false }).freshMaxAge,
    ),
    ...describeDocuments(config.server.servesOpenApi ? SERVED_DOCUMENTS : []),
  ];
  return values.json ? `${JSON.stringify(routes, null, 2)}\n` : formatRoutes(routes);
}

try {
  process.stdout.write(await run(process.argv.slice(2)));
} catch (error) {
  process.exitCode = 1;
  process.stderr.write(
    error instanceof OperatorError
      ? `${error.message} (--help shows how this is used)\n`
      : explainFailedStart(error),
  );
}
