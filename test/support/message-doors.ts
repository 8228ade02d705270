import { Controller, type Type } from '@nestjs/common';
import { credentials, type Client, loadPackageDefinition, Metadata, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import {
  type ClientOptions,
  ClientProxyFactory,
  GrpcMethod,
  MessagePattern,
  type MicroserviceOptions,
  Payload,
  Transport,
} from '@nestjs/microservices';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lastValueFrom } from 'rxjs';
import {
  Access,
  AccessOrRefresh,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Refresh,
  Roles,
} from '../../src/auth/index.js';
import { MessageWithToken, TokenSerializer } from '../../src/microservices/index.js';
import { freePort } from './free-port.mjs';

/** Every declaration that a message handler may have. */
export const DECLARATIONS: Readonly<Record<string, () => MethodDecorator[]>> = {
  Nothing: () => [],
  Open: () => [Public()],
  Any: () => [Access()],
  AnyMfa: () => [Access({ acr: 'mfa' })],
  Optional: () => [OptionalAccess()],
  Fresh: () => [FreshAccess({ maxAge: '5m' })],
  FreshMfa: () => [FreshAccess({ acr: 'mfa' })],
  Once: () => [FreshAccess({ once: true })],
  Admin: () => [Roles('admin')],
  FreshAdmin: () => [FreshAccess(), Roles('admin')],
  Renew: () => [Refresh()],
  Either: () => [AccessOrRefresh()],
};

export interface Text {
  text: string;
}

/** What a client is answered. */
export interface Answer {
  /** The user that the handler saw; empty for none. */
  text?: string;
  errorCode?: string;
  error?: unknown;
}

export interface MessageClient {
  ask(door: string, token?: string, data?: Text): Promise<Answer>;
  close(): void | Promise<void>;
}

/** A transport under test: how a server listens, how a handler is decorated, how a real client asks. */
export interface TransportUnderTest {
  options: MicroserviceOptions;
  handles: (door: string) => MethodDecorator;
  connect: () => Promise<MessageClient>;
}

/** A controller with a handler for each declaration, which answers with the user. */
export function doorsOf({ handles }: Pick<TransportUnderTest, 'handles'>): Type {
  class DoorsController {}
  for (const [door, decorators] of Object.entries(DECLARATIONS)) {
    const value = (user: Principal | null, data: Text): Text => {
      if (Object.keys(data).join() !== 'text') throw new Error(`saw ${JSON.stringify(data)}`);
      return { text: user?.userId ?? '' };
    };
    const descriptor = { value, writable: true, configurable: true, enumerable: false };
    Object.defineProperty(DoorsController.prototype, door, descriptor);
    CurrentUser()(DoorsController.prototype, door, 0);
    Payload()(DoorsController.prototype, door, 1);
    for (const decorate of [handles(door), ...decorators()])
      decorate(DoorsController.prototype, door, descriptor);
  }
  Controller()(DoorsController);
  return DoorsController;
}

export async function tcp(): Promise<TransportUnderTest> {
  const options = { host: '127.0.0.1', port: await freePort() };
  return {
    options: { transport: Transport.TCP, options },
    handles: (door) => MessagePattern(door),
    connect: async () => proxyOf({ transport: Transport.TCP, options: { ...options, ...withTokens() } }),
  };
}

export const withTokens = () => ({ serializer: new TokenSerializer() });

/** A client proxy of Nest. */
export function proxyOf(options: ClientOptions): MessageClient {
  const proxy = ClientProxyFactory.create(options);
  return {
    ask: async (door, token, data = { text: 'x' }) => {
      const message = token === undefined ? data : new MessageWithToken(data, token);
      return lastValueFrom(proxy.send<Answer>(door, message)).catch((error: { errorCode?: string }) => ({
        ...(error.errorCode !== undefined && { errorCode: error.errorCode }),
        error,
      }));
    },
    close: () => proxy.close() as void,
  };
}

const PROTO = `syntax = "proto3";
package doors;
message Text { string text = 1; }
service Doors {
${Object.keys(DECLARATIONS)
  .map((door) => `  rpc ${door}(Text) returns (Text);`)
  .join('\n')}
  rpc Ticks(Text) returns (stream Text);
  rpc Collect(stream Text) returns (Text);
  rpc Echo(stream Text) returns (stream Text);
  rpc Pass(stream Text) returns (stream Text);
  rpc PassOne(stream Text) returns (Text);
}
`;

/** A client of @grpc/grpc-js, without types. */
export type GrpcClient = Client & Record<string, (...args: unknown[]) => unknown>;

export interface GrpcUnderTest extends TransportUnderTest {
  client: () => GrpcClient;
}

export async function grpc(): Promise<GrpcUnderTest> {
  const protoPath = join(mkdtempSync(join(tmpdir(), 'freshgate-proto-')), 'doors.proto');
  writeFileSync(protoPath, PROTO);
  const url = `127.0.0.1:${await freePort()}`;
  const client = (): GrpcClient => {
    const { doors } = loadPackageDefinition(loadSync(protoPath)) as unknown as {
      doors: { Doors: new (url: string, channel: unknown) => GrpcClient };
    };
    return new doors.Doors(url, credentials.createInsecure());
  };
  return {
    options: { transport: Transport.GRPC, options: { package: 'doors', protoPath, url } },
    handles: (door) => GrpcMethod('Doors', door),
    client,
    connect: async () => {
      const stub = client();
      return {
        ask: (door, token, data = { text: 'x' }) =>
          new Promise((resolve) => {
            const done = (error: ServiceError | null, answer: Text) =>
              resolve(error ? grpcRefusal(error) : answer);
            stub[door]?.(data, metadataOf(token), done);
          }),
        close: () => stub.close(),
      };
    },
  };
}

export function metadataOf(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

function grpcRefusal(error: ServiceError): Answer {
  const [errorCode] = error.metadata.get('error-code');
  return { ...(errorCode !== undefined && { errorCode: String(errorCode) }), error };
}
