import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import { type Caller } from '../../audit/audit-log.js';
import { requestOf } from './auth-request.js';

/** Characters, of what a client may write into every row about it. */
const LONGEST_USER_AGENT = 256;

/** Where the request comes from, for the audit trail. */
export const RequestCaller = createParamDecorator((_: undefined, context: ExecutionContext): Caller => {
  const { ip, headers, id } = requestOf(context);
  return {
    ip: ip ?? null,
    userAgent: headers['user-agent']?.slice(0, LONGEST_USER_AGENT) ?? null,
    requestId: id ?? null,
  };
});
