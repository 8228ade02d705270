import { ConsoleLogger, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { APP_OPTIONS, configureApp, createAdapter } from './app.setup.js';
import { ConfigError } from './config/app-config.js';
import { configFromEnvironment } from './config/environment.js';

async function start(): Promise<void> {
  const config = configFromEnvironment();
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forRoot(config), createAdapter(), {
    ...APP_OPTIONS,
    logger: new ConsoleLogger({
      json: config.NODE_ENV === 'production',
      logLevels: ['log', 'warn', 'error', 'fatal'],
    }),
  });
  await configureApp(app, config).listen(config.PORT, config.HOST);
  new Logger('freshgate').log(
    `listening on ${await app.getUrl()}, API documentation at ${await app.getUrl()}/docs`,
  );
}

try {
  await start();
} catch (error) {
  process.stderr.write(
    error instanceof ConfigError
      ? `The configuration is wrong, freshgate does not start:\n${error.message.replace(/^/gm, '  ')}\n`
      : `freshgate does not start: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  // Open handles (a pool, the listener of a half-started server) would keep the process from ending by itself.
  process.exit(1);
}
