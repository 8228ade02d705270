import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { type AuthRequest, requestOf } from './auth-request.js';
import { canonicalAddress } from '../../http/client-address.js';

/** Characters. Each row about the client stores it. */
const MAX_USER_AGENT_LENGTH = 256;

/** Where the request comes from, for the audit trail and the rate limits. */
export const RequestCaller = createParamDecorator((_: undefined, context: ExecutionContext): Caller =>
  callerOf(requestOf(context)),
);

export function callerOf(request: AuthRequest): Caller {
  const { headers, id, raw, socket = raw?.socket } = request;
  return {
    ip: addressOf(request),
    userAgent: headers['user-agent']?.slice(0, MAX_USER_AGENT_LENGTH) ?? null,
    requestId: id ?? null,
    hasLeft: () => socket?.destroyed === true,
  };
}

/**
 * The adapter's `ip`: the last address that is not a trusted proxy (`TRUSTED_PROXIES`). A proxy may pass on a header
 * that holds no address; then the proxy's own address is used, so that clients cannot invent addresses.
 */
function addressOf({ ip, raw, socket = raw?.socket }: AuthRequest): string | null {
  return canonicalAddress(ip) ?? canonicalAddress(socket?.remoteAddress);
}
