import { type RequestEnd } from '../http/request-end.js';
import { escapeLine, scrubText } from './scrub.js';

/**
 * Returns the JSON line of a request. Written without pino, which would search every member for secrets, at twice the
 * cost of the request: all members have a fixed form here, except the path of an unknown route.
 */
export function requestLine(end: RequestEnd, level: 'info' | 'debug'): string {
  const { method, route, status, requestId, errorCode, aborted } = end;
  const place = route === undefined ? { path: scrubText(end.path) } : { route };
  const line = JSON.stringify({
    level,
    time: new Date().toISOString(),
    requestId,
    context: 'Http',
    method,
    ...place,
    status,
    duration: Math.round(end.duration * 10) / 10,
    // Undefined members are left out.
    errorCode,
    aborted: aborted || undefined,
    msg: `${method} ${route ?? place.path} ${status}`,
  });
  return `${escapeLine(line)}\n`;
}
