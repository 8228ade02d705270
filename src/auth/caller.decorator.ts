import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Caller } from '../audit/audit-log.js';
import { requestOf } from './auth-request.js';

/** Where the request comes from, for the audit trail. */
export const RequestCaller = createParamDecorator((_: undefined, context: ExecutionContext): Caller => {
  const { ip, headers, id } = requestOf(context);
  return { ip: ip ?? null, userAgent: headers['user-agent'] ?? null, requestId: id ?? null };
});
