import { createParamDecorator, type ExecutionContext, Injectable, type PipeTransform } from '@nestjs/common';
import { DEVICE_HEADER } from '../dto/token-pair.dto.js';
import { TokenCookies } from '../cookies/token-cookies.js';
import { cookiesNamed } from '../request/request-cookies.js';
import { AuthOptions } from '../options/auth-options.js';
import { type AuthRequest, requestOf } from '../request/auth-request.js';

/** Further values are not read: each costs an HMAC. */
const MAX_PRESENTED = 4;

@Injectable()
export class DeviceReader implements PipeTransform<AuthRequest, string[]> {
  constructor(
    private readonly cookies: TokenCookies,
    private readonly options: AuthOptions,
  ) {}

  transform(request: AuthRequest): string[] {
    const header = request.headers[DEVICE_HEADER.toLowerCase()];
    const cookies = this.cookies.used ? cookiesNamed(request, this.options.cookies.deviceName) : [];
    return [...(typeof header === 'string' ? [header] : []), ...cookies].slice(0, MAX_PRESENTED);
  }
}

const RequestItself = createParamDecorator((_: unknown, context: ExecutionContext) => requestOf(context));

/** The device tokens that the client presents, genuine or not. */
export const PresentedDevices = () => RequestItself(DeviceReader);
