import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Module, type INestMicroservice, Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type ClientDuplexStream,
  type ClientReadableStream,
  type ClientWritableStream,
  Metadata,
  status as GRPC,
  type ServiceError,
} from '@grpc/grpc-js';
import { GrpcMethod, GrpcStreamCall, GrpcStreamMethod, Payload, RpcException } from '@nestjs/microservices';
import { finalize, interval, map, type Observable, Subject } from 'rxjs';
import { loadConfig } from '../../src/app.config.js';
import { AppModule } from '../../src/app.module.js';
import { MessagesModule } from '../../src/microservices/index.js';
import {
  ApiError,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Roles,
} from '../../src/auth/index.js';
import { TokenWatch } from '../../src/auth/internals.js';
import {
  grpc,
  tcp,
  doorsOf,
  type MessageClient,
  type GrpcClient,
  metadataOf,
  type Text,
} from '../support/message-doors.js';
import { describeDoors } from '../support/message-matrix.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { createTestDatabase, describePostgres, type TestDatabase } from '../support/engines.js';
import { until } from '../support/until.js';

describe.each([
  ['TCP', tcp],
  ['gRPC', grpc],
])('messages of %s', (_name, transportOf) => describeDoors(transportOf));

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

const seen: string[] = [];

@Controller()
class StreamsController {
  @GrpcMethod('Doors', 'Ticks')
  ticks(@CurrentUser() user: Principal | null): Observable<Text> {
    return interval(10).pipe(
      map(() => ({ text: user?.userId ?? '' })),
      finalize(() => seen.push('ticks ended')),
    );
  }

  @GrpcStreamMethod('Doors', 'Collect')
  collect(texts: Observable<Text>): Observable<Text> {
    const answer = new Subject<Text>();
    texts.subscribe({
      next: ({ text }) => void seen.push(text),
      complete: () => {
        answer.next({ text: 'all' });
        answer.complete();
      },
    });
    return answer;
  }

  @FreshAccess({ maxAge: '5m' })
  @GrpcStreamMethod('Doors', 'Echo')
  echo(texts: Observable<Text>): Observable<Text> {
    return texts;
  }

  @GrpcStreamCall('Doors', 'Pass')
  pass(call: {
    on(event: string, f: (text: Text) => void): void;
    write(text: Text): void;
    end(): void;
  }): void {
    call.on('data', (text) => call.write(text));
    call.on('end', () => call.end());
  }

  @GrpcStreamCall('Doors', 'PassOne')
  passOne(
    call: { on(event: string, f: (text: Text) => void): void },
    callback: (error: null, answer: Text) => void,
  ): void {
    call.on('end', () => callback(null, { text: 'one' }));
    call.on('data', ({ text }) => seen.push(text));
  }

  @Public()
  @GrpcMethod('Doors', 'Open')
  open(@Payload() { text }: Text): Text {
    if (text === 'rpc') throw new RpcException({ code: GRPC.OUT_OF_RANGE, message: 'own' });
    if (text === 'api') throw new ApiError(404, 'not_found', 'no ünicode');
    if (text === 'broken') throw new Error('hunter2');
    return { text };
  }

  @OptionalAccess()
  @GrpcMethod('Doors', 'Optional')
  optional(@CurrentUser() user: Principal | null): Text {
    return { text: user?.userId ?? '' };
  }

  @FreshAccess({ maxAge: '5m', acr: 'mfa' })
  @GrpcMethod('Doors', 'FreshMfa')
  freshMfa(): Text {
    return { text: '' };
  }

  @Roles('admin')
  @GrpcMethod('Doors', 'Admin')
  admin(): Text {
    return { text: '' };
  }
}

describe.each([true, false])('gRPC, inheritAppConfig: %s', (inheritAppConfig) => {
  let api: TestApp;
  let client: GrpcClient;
  beforeAll(async () => {
    const transport = await grpc();
    api = await createTestApp({ imports: [MessagesModule], controllers: [StreamsController] });
    api.app.connectMicroservice(transport.options, { inheritAppConfig });
    await api.app.startAllMicroservices();
    client = transport.client();
  });
  afterAll(async () => {
    client.close();
    await api.close();
  });

  const call = (method: string, metadata: Metadata, text = '') =>
    new Promise<ServiceError | Text>((resolve) => {
      client[method]?.({ text }, metadata, (error: ServiceError | null, answer: Text) =>
        resolve(error ?? answer),
      );
    });
  /** What a stream is answered until it ends. */
  const follow = (stream: unknown) => {
    const answer: { texts: string[]; error?: ServiceError; ended: boolean } = { texts: [], ended: false };
    (stream as ClientReadableStream<Text>)
      .on('data', ({ text }: Text) => answer.texts.push(text))
      .on('error', (error: ServiceError) => Object.assign(answer, { error, ended: true }))
      .on('end', () => (answer.ended = true));
    return answer;
  };

  it('answers a refusal with its status, and the challenge in the metadata', async () => {
    const { access } = await api.login();
    const missing = await call('FreshMfa', new Metadata());
    expect(missing).toMatchObject({ code: GRPC.UNAUTHENTICATED, details: 'Missing bearer token' });
    expect((missing as ServiceError).metadata.getMap()).toMatchObject({
      'error-code': 'token_missing',
      'www-authenticate': 'Bearer',
    });
    const weak = (await call('FreshMfa', metadataOf(access))) as ServiceError;
    expect(weak).toMatchObject({ code: GRPC.UNAUTHENTICATED, details: 'Fresh token required' });
    expect(weak.metadata.getMap()).toMatchObject({
      'error-code': 'fresh_token_required',
      'www-authenticate':
        'Bearer error="insufficient_user_authentication", error_description="Fresh token required", ' +
        'acr_values="mfa", max_age="300"',
    });
    expect(weak.metadata.getMap()).not.toHaveProperty('authorization');
    const roleless = (await call('Admin', metadataOf(access))) as ServiceError;
    expect(roleless.code).toBe(GRPC.PERMISSION_DENIED);
    expect(roleless.metadata.get('error-code')).toEqual(['insufficient_role']);
  });

  it('answers errors of handlers', async () => {
    expect(await call('Open', new Metadata(), 'rpc')).toMatchObject({
      code: GRPC.OUT_OF_RANGE,
      details: 'own',
    });
    const broken = (await call('Open', new Metadata(), 'broken')) as ServiceError;
    expect(broken.details).toMatch(/Internal server error/);
    if (!inheritAppConfig) return;
    expect(broken.code).toBe(GRPC.INTERNAL);
    expect(await call('Open', new Metadata(), 'api')).toMatchObject({
      code: GRPC.NOT_FOUND,
      details: 'no ünicode',
    });
  });

  it.each(['Ticks', 'Echo', 'Pass'])('refuses the stream %s without a token', async (method) => {
    const stream =
      method === 'Ticks' ? client[method]?.({}, new Metadata()) : client[method]?.(new Metadata());
    const answer = follow(stream);
    await until(2_000, async () => answer.ended);
    expect(answer).toMatchObject({ texts: [], error: { code: GRPC.UNAUTHENTICATED } });
  });

  it.each(['Collect', 'PassOne'])('refuses the requests of %s without a token', async (method) => {
    seen.length = 0;
    const error = await new Promise<ServiceError>((resolve) => {
      const stream = client[method]?.(new Metadata(), resolve) as ClientWritableStream<Text>;
      stream.on('error', () => {});
      stream.write({ text: 'secret' });
    });
    expect(error.code).toBe(GRPC.UNAUTHENTICATED);
    expect(seen).toEqual([]);
  });

  const open = (method: string, token: string) => {
    if (method === 'Ticks') return follow(client[method]?.({}, metadataOf(token)));
    const stream = client[method]?.(metadataOf(token)) as ClientDuplexStream<Text, Text>;
    const answer = follow(stream);
    stream.write({ text: 'hello' });
    return answer;
  };

  it.each(['Ticks', 'Echo', 'Pass'])('ends the stream %s when its session is revoked', async (method) => {
    const { access } = await api.login();
    const answer = open(method, access);
    await until(2_000, async () => answer.texts.length > 0);
    expect(answer.ended).toBe(false);
    await api.request('POST', '/auth/logout', access).expect(204);
    await until(1_000, async () => answer.ended);
    expect(answer.error?.code).toBe(GRPC.UNAUTHENTICATED);
    expect(answer.error?.metadata.get('error-code')).toEqual(['token_revoked']);
    expect(api.get(TokenWatch).size).toBe(0);
  });

  it('ends a stream when its token expires', async () => {
    const { access } = await api.login();
    const answer = open('Ticks', access);
    await until(2_000, async () => answer.texts.length > 0);
    api.clock.advance('16m');
    await until(1_000, async () => answer.ended);
    expect(answer.error?.metadata.get('error-code')).toEqual(['token_expired']);
  });

  it.each(['Collect', 'PassOne'])('ends the requests of %s when its session is revoked', async (method) => {
    seen.length = 0;
    const { access } = await api.login();
    let error: ServiceError | undefined;
    const stream = client[method]?.(
      metadataOf(access),
      (given: ServiceError) => (error = given),
    ) as ClientWritableStream<Text>;
    stream.on('error', () => {});
    stream.write({ text: 'before' });
    await until(2_000, async () => seen.length === 1);
    await api.request('POST', '/auth/logout', access).expect(204);
    await until(1_000, async () => error !== undefined);
    expect(error?.metadata.get('error-code')).toEqual(['token_revoked']);
    stream.write({ text: 'after' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(seen).toEqual(['before']);
  });

  it('stops its watch when the client leaves', async () => {
    const { access } = await api.login();
    for (const method of ['Ticks', 'Echo', 'Pass']) {
      const stream = (
        method === 'Ticks' ? client[method]?.({}, metadataOf(access)) : client[method]?.(metadataOf(access))
      ) as ClientReadableStream<Text>;
      stream.on('error', () => {});
      await until(2_000, async () => api.get(TokenWatch).size === 1);
      stream.cancel();
      await until(2_000, async () => api.get(TokenWatch).size === 0);
    }
  });
});
