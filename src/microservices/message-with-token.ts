import { type ReadPacket, type Serializer } from '@nestjs/microservices';

/**
 * A message and its access token, for clients of TCP and Redis, which have no headers:
 * `client.send('books.list', new MessageWithToken({ page: 1 }, token))`.
 */
export class MessageWithToken<T = unknown> {
  constructor(
    readonly data: T,
    readonly token: string,
  ) {}

  /** Without the serializer, the handler would get the token as data. @throws Error */
  toJSON(): never {
    throw new Error(
      'MessageWithToken: set `serializer: new TokenSerializer()` in the options of this client',
    );
  }
}

/** Sends the token of a `MessageWithToken` in the metadata of the packet: `options: { serializer: new TokenSerializer() }`. */
export class TokenSerializer implements Serializer<ReadPacket, ReadPacket> {
  serialize(packet: ReadPacket): ReadPacket {
    const message: unknown = packet.data;
    if (!(message instanceof MessageWithToken)) return packet;
    const metadata = { ...packet.metadata, authorization: `Bearer ${message.token}` };
    return { ...packet, data: message.data as unknown, metadata };
  }
}
