import { describe, expect, it } from '@jest/globals';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import { EventPattern, KafkaContext, MessagePattern } from '@nestjs/microservices';
import { lastValueFrom, type Observable } from 'rxjs';
import { ApiError, TokenError } from '../auth/index.js';
import { type Refusal } from '../auth/internals.js';
import { MessageTransport } from './message-transport.js';

class Books {
  @EventPattern('printed')
  printed(_book: unknown): void {}

  @MessagePattern('list')
  list(): void {}
}

const options = { locations: { headerName: 'Authorization' } } as never;

/** What the client, or kafkajs, is answered when the guard refuses. */
async function refused(method: 'printed' | 'list', exception: TokenError | ApiError): Promise<unknown> {
  const transport = new MessageTransport(options, {} as never);
  const nothing = {} as never;
  const kafka = new KafkaContext([{ headers: {} } as never, 0, 'books', nothing, nothing, nothing]);
  const context = new ExecutionContextHost([{}, kafka], Books, Books.prototype[method]);
  transport.onApplicationBootstrap();
  transport.open(context);
  const answer = { ...(exception.getResponse() as object), statusCode: exception.getStatus() };
  const refusal = { exception, answer, headers: {}, challenge: {} } as Refusal;
  const answers: Observable<unknown> = transport.refuse(refusal, new ExecutionContextHost([{}, kafka]));
  return lastValueFrom(answers).catch((error: unknown) => error);
}

describe('a refusal to Kafka', () => {
  it('drops an event, which would be delivered again and again', async () => {
    expect(await refused('printed', new TokenError('token_expired', ''))).toBe(undefined);
  });

  it('leaves an event that could not be checked to be delivered again', async () => {
    const lost = new ApiError(503, 'revocation_feed_lost', 'later');
    expect(await refused('printed', lost)).toMatchObject({ errorCode: 'revocation_feed_lost' });
  });

  it('answers a message', async () => {
    const error = await refused('list', new TokenError('token_expired', ''));
    expect(error).toMatchObject({ status: 'error', errorCode: 'token_expired' });
  });
});
