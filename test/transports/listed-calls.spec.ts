import { Controller, Injectable, Module } from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { Args, Mutation, Query, ResolveField, ResolveReference, Resolver } from '@nestjs/graphql';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { expect, it } from '@jest/globals';
import { FreshAccess, Public, Roles } from '../../src/auth/index.js';
import { describeRoutes } from '../../src/cli/route-table.js';
import { listCalls } from '../../src/auth/internals.js';

@Resolver('Item')
class ItemsResolver {
  @Public()
  @Query('items')
  list(): string[] {
    return [];
  }

  @FreshAccess({ once: true, maxAge: '5m' })
  @Mutation()
  buy(@Args('id') id: string): string {
    return id;
  }

  @ResolveField()
  name(): string {
    return '';
  }

  @Roles('admin')
  @ResolveField('cost')
  price(): number {
    return 0;
  }

  @ResolveReference()
  find(): object {
    return {};
  }
}

@Injectable()
@WebSocketGateway({ namespace: 'chat' })
class ChatGateway {
  @SubscribeMessage('say')
  say(_data: unknown): void {}
}

@Controller()
class MessagesController {
  @MessagePattern({ cmd: 'sum' })
  sum(): number {
    return 0;
  }

  @EventPattern('created')
  created(_data: unknown): void {}
}

@Module({
  imports: [DiscoveryModule],
  controllers: [MessagesController],
  providers: [ItemsResolver, ChatGateway],
})
class TeamModule {}

it('lists resolvers, messages and patterns, with what they need', async () => {
  const app = await NestFactory.createApplicationContext(TeamModule, { logger: false });
  const described = describeRoutes(listCalls(app), 900_000);
  expect(
    described.map(({ method, path, needs, roles, maxAge, once, handler }) =>
      [method, path, needs, ...roles, maxAge, once && 'once', handler].filter(Boolean).join(' '),
    ),
  ).toEqual([
    'EVENT created access MessagesController.created',
    'FIELD Item.cost access admin ItemsResolver.price',
    'FIELD Item.name operation ItemsResolver.name',
    'MESSAGE {"cmd":"sum"} access MessagesController.sum',
    'MUTATION buy fresh-access 5m once ItemsResolver.buy',
    'QUERY items public ItemsResolver.list',
    'REFERENCE Item access ItemsResolver.find',
    'WEBSOCKET chat say access ChatGateway.say',
  ]);
  await app.close();
});
