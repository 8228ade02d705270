import { Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type NestFastifyApplication } from '@nestjs/platform-fastify';
import { type AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { servesPages, startWarnings } from './app.module.js';
import { createAdapter } from './http/adapter.js';
import { AuthOptions } from './auth/index.js';
import { Readiness } from './health/readiness.js';
import { APP_OPTIONS, configureApp } from './app.setup.js';
import { configFromEnvironment } from './app.config.js';
import { type AppConfig, ConfigError } from './config/config.js';
import { createLog, createLogger } from './logging/logger.js';
import { ServerModule } from './server.module.js';

/**
 * Starts the server.
 * @returns what ends it again: readiness fails, and after `SHUTDOWN_DRAIN` everything is closed
 */
export async function startServer(): Promise<() => Promise<void>> {
  const config = configFromEnvironment();
  const log = createLog(config.server);
  const app = await NestFactory.create<NestFastifyApplication>(
    await ServerModule.forRoot(config, log),
    createAdapter(config.server.trustedProxies),
    { ...APP_OPTIONS, logger: createLogger(log.root) },
  );
  await listen(configureApp(app, config), config);
  const logger = new Logger('freshgate');
  for (const warning of startWarnings(config)) logger.warn(warning);
  if (config.get(AuthOptions).locations.order.includes('cookie') && !config.server.isProduction)
    logger.log(cookieAdvice(app));
  logger.log(announcement(app, config));
  return async () => {
    app.get(Readiness, { strict: false }).startDraining();
    await delay(config.server.shutdownDrain);
    await app.close();
  };
}

/** `app.getUrl()` returns 127.0.0.1 even if the server listens on every interface. */
function announcement(app: NestFastifyApplication, config: AppConfig): string {
  const { address, family, port } = app.getHttpServer().address() as AddressInfo;
  const url = `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  const scope = isEverywhere(address) ? ' (every network interface)' : '';
  // Cookies of a page at localhost are not sent to 127.0.0.1, and there is no page at 0.0.0.0.
  const page = isEverywhere(address) || isLoopback(address) ? `http://localhost:${port}` : url;
  const pages = servesPages(config) ? `, pages at ${page}` : '';
  const documentation = config.server.servesOpenApi ? `, API documentation at ${page}/docs` : '';
  return `listening on ${url}${scope}${pages}${documentation}`;
}

/** Logged at the start: nothing else would explain why a login sets no cookies. */
function cookieAdvice(app: NestFastifyApplication): string {
  const { port } = app.getHttpServer().address() as AddressInfo;
  return (
    `tokens are in cookies: open pages at http://localhost and call http://localhost:${port}, ` +
    'because a browser treats 127.0.0.1 as another site and does not store its cookies'
  );
}

const isEverywhere = (address: string) => address === '0.0.0.0' || address === '::';
const isLoopback = (address: string) => address === '127.0.0.1' || address === '::1';

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
