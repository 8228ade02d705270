import { type IncomingMessage } from 'node:http';
import { type AuthRequest } from '../auth/internals.js';

type Members = Readonly<Record<string, unknown>>;

/** Where an operation comes from. */
export interface Source {
  /** The HTTP request; of a WebSocket, the one that opened it. */
  request: AuthRequest;
  /** What the client sent when it opened the WebSocket; undefined over HTTP. */
  connection: Members | undefined;
  /** The adapter's, over HTTP. */
  response: unknown;
}

/**
 * Finds the request in the context of an operation: Mercurius puts it into `reply.request` or, without a reply, `request`;
 * Nest's drivers into `req`, which is the context of graphql-ws for an operation over a WebSocket.
 * @throws Error if the context has no request, or the one of another caller
 */
export function sourceOf(context: Members): Source {
  const { reply, req, res } = context as Record<string, Members | undefined>;
  const socket = [context, req].find((each) => each && 'extra' in each && 'connectionParams' in each);
  const found =
    (socket?.['extra'] as Members | undefined)?.['request'] ??
    req ??
    reply?.['request'] ??
    context['request'];
  if (typeof found !== 'object' || found === null || !('headers' in found)) {
    throw new Error(
      'The context of GraphQL has no request: let the context function of GraphQLModule return the request as req',
    );
  }
  const request = found as AuthRequest;
  requireOwnContext(reply?.['request'], request);
  if (request.headers.upgrade?.toLowerCase() === 'websocket')
    return { request, connection: connectionOf(context, socket), response: undefined };
  const response = [reply, res, (request as Members & AuthRequest)['res']].find(setsHeaders);
  return { request, connection: undefined, response };
}

/**
 * If `context` is an object and not a function, Mercurius gives it to all requests, with the `req` of the first one: every
 * caller would be the first user.
 * @throws Error
 */
function requireOwnContext(replied: unknown, request: AuthRequest): void {
  if (replied === undefined || nodeRequestOf(replied as AuthRequest) === nodeRequestOf(request)) return;
  throw new Error(
    'The context of GraphQL is shared between requests: let the context of GraphQLModule be a function that returns a ' +
      'new object for each request',
  );
}

function nodeRequestOf(request: AuthRequest): unknown {
  return request.raw ?? request;
}

function connectionOf(context: Members, socket: Members | undefined): Members {
  // Mercurius keeps them in the context, and copies them into the headers.
  return ((socket?.['connectionParams'] ?? context['_connectionInit']) as Members | undefined) ?? {};
}

function setsHeaders(response: unknown): boolean {
  return typeof (response as { header?: unknown } | undefined)?.header === 'function';
}

/** The members of a request that `auth` uses, in a new object: resolvers of one request run at once. */
export function copyOf(request: AuthRequest): AuthRequest {
  const { method, headers, raw, socket, rawHeaders, originalUrl, url, query, body, ip, id } = request;
  const given = { method, raw, socket, rawHeaders, originalUrl, url, query, body, ip, id };
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  return { headers, ...Object.fromEntries(known) };
}

/**
 * The request of an operation over a WebSocket, with the token that the client sent when it opened it. A POST, so that a
 * cookie's origin is checked: browsers let the pages of every site open a WebSocket, with cookies.
 */
export function socketRequest({ request, connection = {} }: Source, headerName: string): AuthRequest {
  const raw = request.raw ?? (request as unknown as IncomingMessage);
  const { ip, id } = request;
  const token = tokenIn(connection, headerName) ?? tokenIn(connection['headers'], headerName);
  return {
    method: 'POST',
    headers: { ...openingHeaders(raw), ...(token !== undefined && { [headerName]: token }) },
    socket: raw.socket,
    // Shows headers that were sent twice. Left out if the connection has a token, which replaces that of a header.
    ...(token === undefined && { rawHeaders: raw.rawHeaders }),
    ...(ip !== undefined && { ip }),
    ...(id !== undefined && { id }),
  };
}

/** The headers as they were sent. Mercurius adds headers that the page can choose, such as `Sec-Fetch-Site`. */
function openingHeaders({ headersDistinct }: IncomingMessage): AuthRequest['headers'] {
  return Object.fromEntries(
    Object.entries(headersDistinct).map(([name, values = []]) => [
      name,
      values.join(name === 'cookie' ? '; ' : ', '),
    ]),
  );
}

function tokenIn(parameters: unknown, headerName: string): string | undefined {
  if (typeof parameters !== 'object' || parameters === null) return undefined;
  const found = Object.entries(parameters).find(([name]) => name.toLowerCase() === headerName);
  return typeof found?.[1] === 'string' ? found[1] : undefined;
}
