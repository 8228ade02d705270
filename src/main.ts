// First of all: it holds for code that is compiled after it.
// eslint-disable-next-line import/no-unassigned-import -- for what it does
import './v8-flags.js';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestFastifyApplication } from '@nestjs/platform-fastify';
import { explainFailedStart, startWarnings } from './app.module.js';
import { createAdapter } from './adapter.js';
import { APP_OPTIONS, configureApp } from './app.setup.js';
import { configFromEnvironment } from './app.config.js';
import { type AppConfig, ConfigError } from './config/config.js';
import { createLogger, createPino } from './logging/logger.js';
import { ServerModule } from './server.module.js';

async function start(): Promise<void> {
  const config = configFromEnvironment();
  const log = createPino(config.server);
  const app = await NestFactory.create<NestFastifyApplication>(
    await ServerModule.forRoot(config, log),
    createAdapter(config.server.trustedProxies),
    { ...APP_OPTIONS, logger: createLogger(log) },
  );
  await listen(configureApp(app, config), config);
  const logger = new Logger('freshgate');
  for (const warning of startWarnings(config)) logger.warn(warning);
  const url = await app.getUrl();
  const documentation = config.server.servesOpenApi ? `, API documentation at ${url}/docs` : '';
  logger.log(`listening on ${url}${documentation}`);
}

async function listen(app: NestFastifyApplication, { server: { host, port } }: AppConfig): Promise<void> {
  try {
    await app.listen(port, host);
  } catch (error) {
    const { code = '', syscall = '', message } = error as NodeJS.ErrnoException;
    const variable = /^(EADDRINUSE|EACCES)$/.test(code) ? 'PORT' : 'HOST';
    throw /^(listen|bind|getaddrinfo)$/.test(syscall)
      ? new ConfigError([{ variable, problem: message }])
      : error;
  }
}

try {
  await start();
} catch (thrown) {
  process.stderr.write(explainFailedStart(thrown));
  // Open handles (a pool, the listener of a half-started server) would keep the process from ending by itself.
  process.exit(1);
}
