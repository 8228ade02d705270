import { describe, expect, it } from '@jest/globals';
import {
  type BaseRpcContext,
  KafkaContext,
  MqttContext,
  NatsContext,
  RedisContext,
  RmqContext,
  TcpContext,
} from '@nestjs/microservices';
import { messageName, metadataValues } from './message-metadata.js';

const nothing = {} as never;
const kafka = (headers: object | undefined) =>
  new KafkaContext([{ headers } as never, 0, 'books', nothing, nothing, nothing]);

const CONTEXTS: [transport: string, context: BaseRpcContext, values: unknown[]][] = [
  ['TCP', new TcpContext([nothing, 'books', { Authorization: 'Bearer a' }]), ['Bearer a']],
  ['Redis', new RedisContext(['books', { authorization: 'Bearer a' }]), ['Bearer a']],
  ['Redis without metadata', new RedisContext(['books']), []],
  ['NATS', new NatsContext(['books', new Map([['Authorization', ['Bearer a']]])]), ['Bearer a']],
  ['NATS, twice', new NatsContext(['books', new Map([['authorization', ['a', 'b']]])]), ['a', 'b']],
  ['NATS without headers', new NatsContext(['books', undefined]), []],
  [
    'RabbitMQ',
    new RmqContext([{ properties: { headers: { authorization: 'Bearer a' } } }, nothing, 'books']),
    ['Bearer a'],
  ],
  ['RabbitMQ without headers', new RmqContext([{ properties: {} }, nothing, 'books']), []],
  ['Kafka', kafka({ authorization: 'Bearer a' }), ['Bearer a']],
  ['Kafka, as bytes', kafka({ authorization: Buffer.from('Bearer a') }), ['Bearer a']],
  ['Kafka without headers', kafka(undefined), []],
  [
    'MQTT',
    new MqttContext(['books', { properties: { userProperties: { authorization: 'Bearer a' } } }]),
    ['Bearer a'],
  ],
  [
    'MQTT, twice',
    new MqttContext(['books', { properties: { userProperties: { authorization: ['a', 'b'] } } }]),
    ['a', 'b'],
  ],
  ['MQTT 3', new MqttContext(['books', {}]), []],
];

describe('the metadata of a message', () => {
  it.each(CONTEXTS)('of %s', (_transport, context, values) => {
    expect(metadataValues([{ authorization: 'Bearer of the payload' }, context], 'authorization')).toEqual(
      values,
    );
    expect(messageName([{}, context])).toBe('message books');
  });

  it('is empty for a transport that is not known', () => {
    expect(metadataValues([{}, { authorization: 'Bearer a' }], 'authorization')).toEqual([]);
    expect(metadataValues([{}], 'authorization')).toEqual([]);
    expect(messageName([{}])).toBe('message of an unknown pattern');
  });

  it('leaves no line break in the log', () => {
    expect(messageName([{}, new MqttContext(['a\nb', {}])])).toBe('message ab');
  });
});
