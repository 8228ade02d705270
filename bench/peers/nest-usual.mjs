/**
 * Nest as its documentation sets it up: Express, passport-jwt and a string; or, with `KEY_OBJECT`, a key that is made
 * once.
 */
import { Controller, Get, Module, UseGuards } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { createSecretKey } from 'node:crypto';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { ANSWER } from './answer.mjs';
import { decorate } from './decorate.mjs';
import { SECRET } from './secret.mjs';

class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      ignoreExpiration: false,
      // The library takes a KeyObject, its type definitions do not know it yet.
      secretOrKey: process.env.KEY_OBJECT
        ? /** @type {any} */ (createSecretKey(Buffer.from(SECRET)))
        : SECRET,
    });
  }

  /** @param {{ sub: string, sid: string }} payload */
  validate({ sub, sid }) {
    return { userId: sub, sessionId: sid };
  }
}

class AppController {
  guarded() {
    return ANSWER;
  }
}
decorate(AppController, [UseGuards(AuthGuard('jwt')), Get('guarded')], 'guarded');
decorate(AppController, [Controller('bench')]);

class AppModule {}
decorate(AppModule, [
  Module({ imports: [PassportModule], controllers: [AppController], providers: [JwtStrategy] }),
]);

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(0, '127.0.0.1');
process.send?.({ url: await app.getUrl() });
