import {
  KafkaContext,
  MqttContext,
  NatsContext,
  RedisContext,
  RmqContext,
  TcpContext,
} from '@nestjs/microservices';
import { grpcCallOf } from './grpc-call.js';

/**
 * Returns the values that the metadata of a message has for a name in any case: gRPC metadata, the headers of NATS,
 * RabbitMQ and Kafka, the user properties of MQTT 5, and Nest's packet metadata of TCP and Redis. A client writes what it
 * likes there, so a value may be of any type.
 * @param args of the message handler
 */
export function metadataValues(args: readonly unknown[], name: string): unknown[] {
  const call = grpcCallOf(args);
  if (call) return call.metadata.get(name).map(decoded);
  return entriesOf(args[1])
    .filter(([key]) => key.toLowerCase() === name)
    .flatMap(([, value]) => (Array.isArray(value) ? (value as unknown[]) : [value]))
    .map(decoded);
}

function entriesOf(context: unknown): [key: string, value: unknown][] {
  if (context instanceof NatsContext) {
    const headers = context.getHeaders() as Iterable<[string, string[]]> | undefined;
    return [...(headers ?? [])];
  }
  const metadata = objectOf(context);
  return typeof metadata === 'object' && metadata !== null ? Object.entries(metadata) : [];
}

function objectOf(context: unknown): unknown {
  if (context instanceof TcpContext || context instanceof RedisContext) return context.getMetadata();
  if (context instanceof RmqContext)
    return (context.getMessage() as { properties?: { headers?: unknown } }).properties?.headers;
  if (context instanceof KafkaContext) return context.getMessage().headers;
  if (context instanceof MqttContext)
    return (context.getPacket() as { properties?: { userProperties?: unknown } } | undefined)?.properties
      ?.userProperties;
  return undefined;
}

/** Kafka's headers and binary metadata of gRPC may be buffers. */
function decoded(value: unknown): unknown {
  return Buffer.isBuffer(value) ? value.toString('utf8') : value;
}

/** Names a message for the log: `message books.list`. */
export function messageName(args: readonly unknown[]): string {
  const name = grpcCallOf(args)?.getPath() ?? patternOf(args[1]) ?? 'of an unknown pattern';
  // With wildcards the client chooses the name, and a line break in it could forge a line of the log.
  return `message ${name.replace(/\p{Cc}/gu, '')}`;
}

function patternOf(context: unknown): string | undefined {
  if (context instanceof TcpContext || context instanceof RmqContext) return context.getPattern();
  if (context instanceof RedisContext) return context.getChannel();
  if (context instanceof NatsContext) return context.getSubject();
  if (context instanceof KafkaContext || context instanceof MqttContext) return context.getTopic();
  return undefined;
}
