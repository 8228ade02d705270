import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/app.config.js';
import { AppModule } from '../../src/app.module.js';
import { MessagesModule } from '../../src/microservices/index.js';
import { doorsOf, type MessageClient, tcp } from '../support/message-doors.js';

describe.each([true, false])(
  'a hybrid application whose microservices start first, inheritAppConfig: %s',
  (inheritAppConfig) => {
    const folder = mkdtempSync(join(tmpdir(), 'freshgate-early-'));
    let app: NestFastifyApplication;
    let client: MessageClient;
    beforeAll(async () => {
      const transport = await tcp();
      const env = {
        NODE_ENV: 'test',
        DATABASE_URL: ':memory:',
        AUTH_KEYS_FILE: join(folder, 'keys.json'),
      };
      @Module({
        imports: [AppModule.forRoot(loadConfig(env)), MessagesModule],
        controllers: [doorsOf(transport)],
      })
      class BooksModule {}
      const options = { logger: false, abortOnError: false } as const;
      app = await NestFactory.create<NestFastifyApplication>(BooksModule, new FastifyAdapter(), options);
      app.connectMicroservice(transport.options, { inheritAppConfig });
      await app.startAllMicroservices();
      client = await transport.connect();
    });
    afterAll(async () => {
      await client.close();
      await app.close();
      rmSync(folder, { recursive: true });
    });

    it('answers 503 until keys and revoked sessions are known', async () => {
      const early = await client.ask('Any', 'a.b.c');
      expect(early).toMatchObject({ errorCode: 'overloaded', error: { statusCode: 503, retryAfter: 2 } });
      await app.init();
      expect(await client.ask('Any', 'a.b.c')).toMatchObject({ errorCode: 'token_invalid' });
    });
  },
);
