import { type ExecutionContext } from '@nestjs/common';

/** One call of one handler: an event may have several handlers, which all get the same arguments. */
export class MessageCall {
  /** False if Nest called no global guard: the microservice does not inherit the application's configuration. */
  inheritsGuards = true;
}

/** Returns the call of a context, or undefined if the guard has not seen it. */
export function findCall(context: ExecutionContext): MessageCall | undefined {
  return context.getArgs<unknown[]>().find((argument) => argument instanceof MessageCall);
}

/** The guard, the interceptors and the handler of one call share the array of arguments, and no other call has it. */
export function callKeyOf(context: ExecutionContext): MessageCall {
  const known = findCall(context);
  if (known) return known;
  const call = new MessageCall();
  context.getArgs<unknown[]>().push(call);
  return call;
}
