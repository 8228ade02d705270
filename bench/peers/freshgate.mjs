/**
 * The product, from `dist/`, put together as its `main.js` does, with three more routes: one handler, guarded, public,
 * and public with a signature that is verified by hand. Limits are out of the way: a benchmark is what they are there to stop.
 */
import { Controller, Get, Headers, Module, UnauthorizedException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ANSWER } from './answer.mjs';
import { decorate } from './decorate.mjs';
import { dist, ENDLESS, loadProduct } from './product.mjs';

const { Public } = await dist('auth/index.js');
const { createAdapter } = await dist('http/adapter.js');
const { APP_OPTIONS, configureApp } = await dist('app.setup.js');
const { createLog, createLogger } = await dist('logging/logger.js');
const { LoggingModule } = await dist('logging/logging.module.js');

/** @type {{ keys: any[] }} */
const { keys } = JSON.parse(readFileSync(process.env['AUTH_KEYS_FILE'] ?? '', 'utf8'));
const es256 = /** @type {const} */ ({
  key: createPublicKey({ key: keys.find(({ alg }) => alg === 'ES256'), format: 'jwk' }),
  dsaEncoding: 'ieee-p1363',
});

class BenchController {
  guarded() {
    return ANSWER;
  }
  open() {
    return ANSWER;
  }
  /** As little as a signature costs in an answer: nothing else is looked at. @param {string} header */
  byHand(header) {
    const end = header.lastIndexOf('.');
    const text = Buffer.from(header.slice('Bearer '.length, end));
    if (!verify('sha256', text, es256, Buffer.from(header.slice(end + 1), 'base64url')))
      throw new UnauthorizedException();
    return ANSWER;
  }
}
decorate(BenchController, [Get('guarded')], 'guarded');
decorate(BenchController, [Public(), Get('public')], 'open');
decorate(BenchController, [Public(), Get('by-hand')], 'byHand');
Headers('authorization')(BenchController.prototype, 'byHand', 0);
decorate(BenchController, [Controller('bench')]);

class BenchModule {}
const { config, appModule } = await loadProduct(ENDLESS);
const log = createLog(config.server);
decorate(BenchModule, [
  Module({ imports: [LoggingModule.forRoot(log), appModule], controllers: [BenchController] }),
]);
const app = await NestFactory.create(BenchModule, createAdapter(config.server.trustedProxies), {
  ...APP_OPTIONS,
  logger: createLogger(log.root),
});
await configureApp(app, config).listen(config.server.port, config.server.host);
process.once('SIGTERM', () => void app.close().then(() => process.exit()));
process.send?.({ url: await app.getUrl() });
