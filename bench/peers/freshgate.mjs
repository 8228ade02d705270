/**
 * The product, from `dist/`, put together as its `main.js` does, with two more routes: one handler, guarded and
 * public. Limits are out of the way: a benchmark is what they are there to stop.
 */
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ANSWER } from './answer.mjs';
import { decorate } from './decorate.mjs';
import { dist, ENDLESS, loadProduct } from './product.mjs';

const { Public } = await dist('auth/index.js');
const { createAdapter } = await dist('adapter.js');
const { APP_OPTIONS, configureApp } = await dist('app.setup.js');
const { createLogger, createPino } = await dist('logging/logger.js');
const { LoggingModule } = await dist('logging/logging.module.js');

class BenchController {
  guarded() {
    return ANSWER;
  }
  open() {
    return ANSWER;
  }
}
decorate(BenchController, [Get('guarded')], 'guarded');
decorate(BenchController, [Public(), Get('public')], 'open');
decorate(BenchController, [Controller('bench')]);

class BenchModule {}
const { config, appModule } = await loadProduct(ENDLESS);
const log = createPino(config);
decorate(BenchModule, [
  Module({ imports: [LoggingModule.forRoot(log), appModule], controllers: [BenchController] }),
]);
const app = await NestFactory.create(BenchModule, createAdapter(config.TRUSTED_PROXIES), {
  ...APP_OPTIONS,
  logger: createLogger(log),
});
await configureApp(app, config).listen(config.PORT, config.HOST);
process.send?.({ url: await app.getUrl() });
