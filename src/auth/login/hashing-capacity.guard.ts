import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { networkOf } from '../../http/client-address.js';
import { PasswordHasher } from '../../passwords/password-hasher.js';
import { setRefusalHeaders } from '../errors/refusal-headers.js';
import { AuthOptions } from '../options/auth-options.js';
import { requestOf, responseOf } from '../request/auth-request.js';
import { callerOf } from '../request/caller.decorator.js';
import { DeviceReader } from './presented-devices.js';

/**
 * Refuses logins and registrations that could not be hashed, before anything else is done for them: in a flood, the
 * look-up and the counters of a refused login would cost more than an ordinary request. Whether a device token is
 * genuine is known only after the look-up of the user, so a request that presents one passes.
 * Reauthentication has no such guard: a stolen refresh token must be detected however busy the server is.
 */
@Injectable()
export class HashingCapacityGuard implements CanActivate {
  constructor(
    private readonly hasher: PasswordHasher,
    private readonly devices: DeviceReader,
    private readonly host: HttpAdapterHost,
    private readonly options: AuthOptions,
  ) {}

  /** @throws HashingOverloadedError */
  canActivate(context: ExecutionContext): boolean {
    const request = requestOf(context);
    const known = this.devices.transform(request).length > 0;
    try {
      this.hasher.requireRoom({ network: networkOf(callerOf(request).ip), known });
      return true;
    } catch (error) {
      const { headerScheme } = this.options.locations;
      setRefusalHeaders(this.host.httpAdapter, responseOf(context), error, headerScheme);
      throw error;
    }
  }
}
