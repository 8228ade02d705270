/** The least that Nest on Fastify can be: what it costs before an application adds anything. No token is looked at. */
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { ANSWER } from './answer.mjs';
import { decorate } from './decorate.mjs';

class AppController {
  open() {
    return ANSWER;
  }
}
decorate(AppController, [Get('public')], 'open');
decorate(AppController, [Controller('bench')]);

class AppModule {}
decorate(AppModule, [Module({ controllers: [AppController] })]);

const app = await NestFactory.create(AppModule, new FastifyAdapter());
await app.listen(0, '127.0.0.1');
process.send?.({ url: await app.getUrl() });
