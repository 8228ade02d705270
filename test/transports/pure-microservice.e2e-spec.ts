import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../src/app.config.js';
import { AppModule } from '../../src/app.module.js';
import { MessagesModule } from '../../src/microservices/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../support/engines.js';
import { doorsOf, type MessageClient, tcp } from '../support/message-doors.js';
import { until } from '../support/until.js';

describePostgres('an application that is a microservice only, beside one with routes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'freshgate-microservice-'));
  let database: TestDatabase;
  let api: TestApp;
  let service: INestMicroservice;
  let client: MessageClient;
  beforeAll(async () => {
    database = await createTestDatabase('postgres');
    const keysFile = join(folder, 'keys.json');
    api = await createTestApp({ database, keysFile });
    const transport = await tcp();
    const env = { NODE_ENV: 'test', DATABASE_URL: database.url, AUTH_KEYS_FILE: keysFile };

    @Module({
      imports: [AppModule.forRoot(loadConfig(env)), MessagesModule],
      controllers: [doorsOf(transport)],
    })
    class BooksModule {}
    service = await NestFactory.createMicroservice(BooksModule, {
      ...transport.options,
      logger: false,
      abortOnError: false,
    });
    await service.listen();
    client = await transport.connect();
  });
  afterAll(async () => {
    await client.close();
    await service.close();
    await api.close();
    await database.drop();
    rmSync(folder, { recursive: true });
  });

  it('guards its handlers', async () => {
    const { access, user } = await api.login();
    expect(await client.ask('Nothing')).toMatchObject({ errorCode: 'token_missing' });
    expect(await client.ask('Nothing', access)).toEqual({ text: user.id });
    expect(await client.ask('Fresh', access)).toEqual({ text: user.id });
    expect(await client.ask('Admin', access)).toMatchObject({ errorCode: 'insufficient_role' });
    expect(await client.ask('Once', access)).toEqual({ text: user.id });
    expect(await client.ask('Once', access)).toMatchObject({ errorCode: 'fresh_token_required' });
  });

  it('refuses a session that the other instance has revoked', async () => {
    const { access } = await api.login();
    expect(await client.ask('Nothing', access)).not.toHaveProperty('errorCode');
    await api.request('POST', '/auth/logout', access).expect(204);
    expect(await client.ask('Fresh', access)).toMatchObject({ errorCode: 'token_revoked' });
    await until(2_000, async () => (await client.ask('Nothing', access)).errorCode === 'token_revoked');
  });
});
