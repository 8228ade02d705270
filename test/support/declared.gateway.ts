import { BadRequestException } from '@nestjs/common';
import { Ack, MessageBody, SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import {
  Access,
  ApiError,
  CurrentToken,
  CurrentUser,
  FreshAccess,
  OptionalAccess,
  type Principal,
  Public,
  Roles,
  type TokenClaims,
} from '../../src/auth/index.js';

const answer = (data: unknown) => ({ event: 'answer', data });

/** A message for each declaration; each answers the id of its user. */
@WebSocketGateway()
export class DeclaredGateway {
  @SubscribeMessage('undeclared')
  undeclared(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @Public()
  @SubscribeMessage('public')
  open(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @OptionalAccess()
  @SubscribeMessage('optional')
  optional(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @Access()
  @SubscribeMessage('access')
  access(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @Access({ acr: 'mfa' })
  @SubscribeMessage('access mfa')
  accessMfa(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @FreshAccess()
  @SubscribeMessage('fresh')
  fresh(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @FreshAccess({ maxAge: '5m' })
  @SubscribeMessage('five minutes')
  fiveMinutes(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @FreshAccess({ once: true })
  @SubscribeMessage('once')
  once(@CurrentUser() user: Principal | null, @MessageBody('status') status?: number) {
    if (status !== undefined) throw new ApiError(409, 'username_taken', 'as the test asked');
    return answer(user?.userId ?? null);
  }

  @Roles('admin')
  @SubscribeMessage('admin')
  admin(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @Roles('admin')
  @FreshAccess()
  @SubscribeMessage('fresh admin')
  freshAdmin(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @Access({ locations: ['header'] })
  @SubscribeMessage('header only')
  headerOnly(@CurrentUser() user: Principal | null) {
    return answer(user?.userId ?? null);
  }

  @SubscribeMessage('token')
  token(@CurrentToken() claims: TokenClaims | null, @CurrentToken('location') location: string | null) {
    return answer({ jti: claims?.jti, location });
  }

  @SubscribeMessage('echo')
  echo(@MessageBody() body: unknown) {
    return answer(Buffer.isBuffer(body) ? body.toString() : body);
  }

  @SubscribeMessage('fail')
  fail(@MessageBody() kind: string) {
    if (kind === 'api') throw new ApiError(404, 'not_found', 'There is no such thing', { reason: 'secret' });
    if (kind === 'nest') throw new BadRequestException('Wrong');
    throw new Error('secret');
  }

  /** Answers by the acknowledgement alone. */
  @SubscribeMessage('ack')
  ack(@MessageBody() body: unknown, @Ack() ack?: (body: unknown) => void) {
    ack?.({ body });
  }
}
