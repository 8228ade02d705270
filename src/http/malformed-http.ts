import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { type Socket } from 'node:net';

const ANSWERS: Record<string, [status: number, errorCode: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request_timeout'],
  HPE_HEADER_OVERFLOW: [431, 'request_header_fields_too_large'],
};

/** Answers requests that Node's parser refused (not HTTP, too large, too slow), in the shape of every other error. */
export function answerMalformedHttp(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, errorCode] = ANSWERS[error.code ?? ''] ?? [400, 'validation_failed'];
  const message = `${STATUS_CODES[status]}`;
  const errors =
    status === 400 ? { errors: [{ field: 'request', messages: ['is not well-formed HTTP/1.1'] }] } : {};
  const body = JSON.stringify({ statusCode: status, error: message, message, errorCode, ...errors });
  const head = [
    `HTTP/1.1 ${status} ${message}`,
    'Connection: close',
    'Content-Type: application/json; charset=utf-8',
    'X-Content-Type-Options: nosniff',
    `X-Request-Id: ${randomUUID()}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
}
