// First of all: it holds for code that is compiled after it.
// eslint-disable-next-line import/no-unassigned-import -- for what it does
import './v8-flags.js';
import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestFastifyApplication } from '@nestjs/platform-fastify';
import { explainFailedStart } from './app.module.js';
import { createAdapter } from './adapter.js';
import { APP_OPTIONS, configureApp } from './app.setup.js';
import { type AppConfig, ConfigError } from './config/app-config.js';
import { configFromEnvironment } from './config/environment.js';
import { createLogger, createPino } from './logging/logger.js';
import { ServerModule } from './server.module.js';

async function start(): Promise<void> {
  const config = configFromEnvironment();
  const log = createPino(config);
  const app = await NestFactory.create<NestFastifyApplication>(
    await ServerModule.forRoot(config, log),
    createAdapter(config.TRUSTED_PROXIES),
    { ...APP_OPTIONS, logger: createLogger(log) },
  );
  await listen(configureApp(app, config), config);
  new Logger('freshgate').log(
    `listening on ${await app.getUrl()}, API documentation at ${await app.getUrl()}/docs`,
  );
}

async function listen(app: NestFastifyApplication, { HOST, PORT }: AppConfig): Promise<void> {
  try {
    await app.listen(PORT, HOST);
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
