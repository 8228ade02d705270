import {
  applyDecorators,
  type CallHandler,
  type ExecutionContext,
  Header,
  Injectable,
  type NestInterceptor,
  UseInterceptors,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { ApiExtension } from '@nestjs/swagger';
import { map, type Observable, tap } from 'rxjs';
import { requestOf, responseOf } from '../request/auth-request.js';
import { type TokenPairDto } from '../dto/token-pair.dto.js';
import { AuthOptions } from '../options/auth-options.js';
import { type IssuedPair } from '../dto/token-pair.dto.js';
import { DEVICE_HEADER } from '../dto/token-pair.dto.js';
import { CsrfCheck } from './csrf-check.js';
import { TokenCookies } from './token-cookies.js';

/** Sends the token pair in the body, in cookies, or both: where the application looks for tokens. */
@Injectable()
export class DeliverTokens implements NestInterceptor<IssuedPair, Partial<TokenPairDto>> {
  constructor(
    private readonly cookies: TokenCookies,
    private readonly csrf: CsrfCheck,
    private readonly host: HttpAdapterHost,
    private readonly options: AuthOptions,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler<IssuedPair>): Observable<Partial<TokenPairDto>> {
    if (this.cookies.used) this.csrf.requireSite(requestOf(context));
    const response = responseOf(context);
    return next.handle().pipe(
      map(({ sessionId, device, ...pair }) => {
        this.cookies.set(response, pair, sessionId);
        if (device !== undefined) this.deliver(response, device);
        return this.shown(pair);
      }),
    );
  }

  /** With cookies only, no body holds a token: injected scripts could steal it. */
  private shown({ access_token, refresh_token, ...rest }: TokenPairDto): Partial<TokenPairDto> {
    return this.cookiesAlone ? rest : { access_token, refresh_token, ...rest };
  }

  private deliver(response: unknown, device: string): void {
    this.cookies.setDevice(response, device);
    if (!this.cookiesAlone) this.host.httpAdapter.setHeader(response, DEVICE_HEADER, device);
  }

  private get cookiesAlone(): boolean {
    const { order } = this.options.locations;
    return order.includes('cookie') && !order.includes('header') && !order.includes('body');
  }
}

/** Clears the token cookies after a success, for routes that revoke the current session. */
@Injectable()
export class ClearTokens implements NestInterceptor {
  constructor(
    private readonly cookies: TokenCookies,
    private readonly csrf: CsrfCheck,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (this.cookies.used) this.csrf.requireSite(requestOf(context));
    const response = responseOf(context);
    return next.handle().pipe(tap(() => this.cookies.clear(response)));
  }
}

/** Tells the OpenAPI document that a handler sets or clears cookies, which pages of other sites must not cause. */
export const TOKEN_COOKIES = 'x-token-cookies';

/** The handler returns an `IssuedPair`; the client gets it as the application's token locations say. */
export const DeliversTokens = () =>
  applyDecorators(
    UseInterceptors(DeliverTokens),
    Header('Cache-Control', 'no-store'),
    ApiExtension(TOKEN_COOKIES, true),
  );

/** For a handler that revokes the current session: clears the cookies with its tokens. */
export const ClearsTokens = () =>
  applyDecorators(UseInterceptors(ClearTokens), ApiExtension(TOKEN_COOKIES, true));
