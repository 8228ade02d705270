import { type INestApplication } from '@nestjs/common';
import { STATUS_CODES } from 'node:http';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface RawRequest {
  method?: string;
  path?: string;
  /** In order, repeated ones too. `Host` and `Connection` are added, `Content-Length` where there is a body. */
  headers?: readonly (readonly [name: string, value: string | Buffer])[];
  body?: string | Buffer;
  /** The framing is not to be trusted: the sender closes its half after a while, and may get no answer at all. */
  broken?: boolean;
}

export interface RawAnswer {
  /** 0: the server closed the connection without a word. */
  status: number;
  /** Lower-cased names; repeated ones joined by a comma. */
  headers: Map<string, string>;
  text: string;
  /** What the text says as JSON, or undefined. */
  body: Record<string, unknown> | undefined;
}

/** Milliseconds after which a server that has not answered is taken to hang, and after which a broken sender closes. */
const PATIENCE = 10_000;
const BROKEN_PATIENCE = 150;

export function portOf(app: INestApplication): number {
  return (app.getHttpServer() as { address(): { port: number } }).address().port;
}

/** Sends what HTTP clients refuse to send: every byte goes out as it is given. @throws when no answer comes in time */
export function sendRaw(port: number, request: RawRequest): Promise<RawAnswer> {
  return exchange(port, bytesOf(request), request.broken === true, request.method === 'HEAD');
}

export function exchange(port: number, bytes: Buffer, broken = false, isHead = false): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    const hang = setTimeout(() => fail(new Error('no answer in time: the server hangs')), PATIENCE);
    const close = broken ? setTimeout(() => socket.end(), BROKEN_PATIENCE) : undefined;
    const done = () => {
      clearTimeout(hang);
      clearTimeout(close);
      socket.destroy();
    };
    const fail = (error: Error) => {
      done();
      reject(error);
    };
    const finish = () => {
      done();
      try {
        resolve(parseAnswer(Buffer.concat(chunks)));
      } catch (error) {
        reject(error);
      }
    };
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      if (isWhole(Buffer.concat(chunks), isHead)) finish();
    });
    socket.on('end', finish);
    // The server may close on a sender that is still writing; what it said before counts.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') finish();
      // This machine's ports are used up: they come back a minute after their last use.
      else if (error.code === 'EADDRNOTAVAIL') {
        done();
        resolve(exchangeLater(port, bytes, broken, isHead));
      } else fail(new Error(`${error.code} for ${JSON.stringify(bytes.toString('latin1').slice(0, 500))}`));
    });
  });
}

async function exchangeLater(...request: Parameters<typeof exchange>): Promise<RawAnswer> {
  await delay(1_000);
  return exchange(...request);
}

export function bytesOf({ method = 'GET', path = '/', headers = [], body }: RawRequest): Buffer {
  const given = new Set(headers.map(([name]) => name.toLowerCase()));
  const content = body === undefined ? undefined : Buffer.from(body as string);
  const all: (readonly [string, string | Buffer])[] = [
    ...(given.has('host') ? [] : [['Host', '127.0.0.1'] as const]),
    ...(given.has('connection') ? [] : [['Connection', 'close'] as const]),
    ...(content && !given.has('content-length') && !given.has('transfer-encoding')
      ? [['Content-Length', String(content.length)] as const]
      : []),
    ...headers,
  ];
  const lines = all.flatMap(([name, value]) => [latin1(`${name}: `), latin1(value), latin1('\r\n')]);
  return Buffer.concat([
    latin1(`${method} ${path} HTTP/1.1\r\n`),
    ...lines,
    latin1('\r\n'),
    content ?? latin1(''),
  ]);
}

const latin1 = (text: string | Buffer) => (typeof text === 'string' ? Buffer.from(text, 'latin1') : text);

function headOf(bytes: Buffer): { head: string; rest: Buffer } | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = bytes.subarray(0, end).toString('latin1');
  const rest = bytes.subarray(end + 4);
  // 100 Continue and its kin come before the answer.
  return /^HTTP\/1\.[01] 1\d\d/.test(head) ? headOf(rest) : { head, rest };
}

function isWhole(bytes: Buffer, isHead: boolean): boolean {
  const parts = headOf(bytes);
  if (!parts) return false;
  if (isHead || /^HTTP\/1\.[01] (204|304)/.test(parts.head)) return true;
  const [, length] = /^content-length: *(\d+)/im.exec(parts.head) ?? [];
  return length !== undefined && parts.rest.length >= Number(length);
}

function parseAnswer(bytes: Buffer): RawAnswer {
  if (bytes.length === 0) return { status: 0, headers: new Map(), text: '', body: undefined };
  const parts = headOf(bytes);
  const [statusLine = '', ...lines] = parts?.head.split('\r\n') ?? [];
  const [, status, reason] = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(statusLine) ?? [];
  if (!parts || status === undefined || reason !== STATUS_CODES[Number(status)]) {
    throw new Error(`no HTTP answer: ${bytes.toString('latin1').slice(0, 200)}`);
  }
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+): *(.*)$/.exec(line) ?? [];
    const known = headers.get(name.toLowerCase());
    headers.set(name.toLowerCase(), known === undefined ? value : `${known}, ${value}`);
  }
  // More than one request gets more than one answer: the first is returned.
  const text = parts.rest.subarray(0, Number(headers.get('content-length') ?? parts.rest.length)).toString();
  return { status: Number(status), headers, text, body: jsonOf(text) };
}

function jsonOf(text: string): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(text);
    return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
