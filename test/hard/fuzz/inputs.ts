import fc from 'fast-check';
import { TOKEN_KINDS } from '../../support/token-kinds.js';

/*
 * What the fuzzer sends. An input names neither a route nor a token, but cells of a table and symbols, which the running
 * application fills in: so the same seed gives the same inputs everywhere.
 */

/** What an input shows: each kind of token, what the route asks for, an administrator's token, and no token at all. */
export const SHOWN = [...TOKEN_KINDS, 'right', 'admin', 'junk'] as const;
export type Shown = (typeof SHOWN)[number];

const PLACES = ['header', 'header', 'header', 'cookie', 'query', 'body'] as const;
const METHODS = 'GET HEAD POST PUT PATCH DELETE OPTIONS TRACE PROPFIND QUERY'.split(' ');

/** The body that the route asks for. */
export const GOOD = Symbol('good');
/** The id of something that is the user's own. */
export const OWN = Symbol('own');

export interface Input {
  /** Of the table of routes and kinds of token. */
  cell: number;
  /** Null: the route's. */
  method: string | null;
  place: (typeof PLACES)[number];
  /** As a page of ours sends it: else no cookie counts where something is changed. */
  sameOrigin: boolean;
  junk: string;
  parameter: string | typeof OWN;
  suffix: string;
  query: string;
  headers: [name: string, value: Buffer][];
  type: string;
  body: string | Buffer | null | typeof GOOD;
}

/** Bytes 0x20 to 0xff without DEL, and tabs: what RFC 9110 §5.5 lets a value hold. */
const headerValue = fc
  .array(
    fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constant(9)),
    {
      maxLength: 200,
    },
  )
  .map((bytes) => Buffer.from(bytes));
const headerName = fc.oneof(
  fc.constantFrom(
    ...(
      'Authorization Proxy-Authorization Cookie Idempotency-Key X-Request-Id X-CSRF-Token Origin Referer Accept ' +
      'Accept-Encoding Accept-Language User-Agent X-Forwarded-For X-Forwarded-Host X-Forwarded-Proto Forwarded ' +
      'X-Device-Token X-Real-IP Sec-Fetch-Site Sec-Fetch-Mode If-None-Match If-Modified-Since Range X-HTTP-Method-Override ' +
      'Access-Control-Request-Method Access-Control-Request-Headers Content-Encoding Accept-Version Upgrade ' +
      'X-Original-URL X-Rewrite-URL traceparent __proto__ constructor'
    ).split(' '),
  ),
  fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,30}$/),
);
const tellingValue = fc.constantFrom(
  'Bearer', 'Bearer ', 'bearer a.b.c', 'Basic dTpw', 'null', '*', 'https://evil.example', 'https://app.example', 'cross-site', 'same-origin', 'gzip', '1'.repeat(255), '%00', '\x80\xff', 'a=b; a=c; =; ;;', '__Host-access_token=x; access_token=y', 'application/xml', '127.0.0.1, ::1', '[::1]:80, 192.0.2.1:99999', '192.0.2.1, , junk', 'websocket', 'bytes=0-', 'GET', '1.0.0',
).map((text) => Buffer.from(text, 'latin1')); // prettier-ignore

const header: fc.Arbitrary<[string, Buffer]> = fc.tuple(headerName, fc.oneof(headerValue, tellingValue));
const cookieHeader: fc.Arbitrary<[string, Buffer]> = fc
  .array(
    fc.tuple(
      fc.constantFrom('access_token', 'refresh_token', 'device', 'csrf_token', '__Host-access_token', '__Host-device', '__proto__', ''),
      fc.oneof(headerValue, tellingValue),
    ),
    { minLength: 1, maxLength: 4 },
  )
  .map((pairs) => ['Cookie', Buffer.from(pairs.map(([name, value]) => `${name}=${value.toString('latin1')}`).join('; '), 'latin1')]); // prettier-ignore

const memberName = fc.oneof(
  fc.constantFrom(
    ...(
      'username password current_password new_password to amount access_token refresh_token limit cursor ' +
      '__proto__ constructor prototype toString hasOwnProperty length'
    ).split(' '),
  ),
  fc.string({ maxLength: 8 }),
);

/** JSON as text, since no value of JavaScript has two members of one name, 1e400 or a broken end. */
const { json } = fc.letrec<{ json: string }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom('null', 'true', 'false', '0', '-0', '1', '-1', '1.5', '1e400', '-1e400', '1e-400', '9007199254740993', '""'),
    fc.constantFrom('"\\ud800"', '"\\udfff\\ud800"', '"\\u0000"', '"a\\u0000b"', '"__proto__"', '"cosmo"', '"space-corgi"', '"\\u212a"', '"\\u202e"'),
    fc.string({ unit: 'binary', maxLength: 40 }).map((text) => JSON.stringify(text)),
    fc.integer().map(String),
    fc.array(tie('json'), { maxLength: 4 }).map((items) => `[${items.join()}]`),
    fc.array(fc.tuple(memberName, tie('json')), { maxLength: 5 }).map(toObject),
  ),
})); // prettier-ignore
function toObject(members: [string, string][]): string {
  return `{${members.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join()}}`;
}
/** Objects with the members that a route reads, so that more than the first check is reached. */
const request = fc
  .subarray([['username', 'password'], ['password'], ['current_password', 'new_password'], ['to', 'amount']], {
    minLength: 1,
    maxLength: 1,
  })
  .chain(([names = []]) =>
    fc.tuple(
      fc.array(json, { minLength: names.length, maxLength: names.length }),
      fc.option(fc.tuple(memberName, json)),
    ).map(([values, more]) =>
      toObject([...names.map((name, i): [string, string] => [name, values[i] ?? '0']), ...(more ? [more] : [])]),
    ),
  ); // prettier-ignore
const body = fc.oneof(
  { weight: 3, arbitrary: fc.constant(null) },
  { weight: 6, arbitrary: request },
  { weight: 3, arbitrary: json },
  { weight: 1, arbitrary: fc.tuple(json, fc.nat({ max: 30 })).map(([text, n]) => text.slice(0, n)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('[', '{"a":', '[{"a":', '"'), fc.constantFrom(31, 33, 1_000, 9_000))
      .map(([open, n]) => open.repeat(n)),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.constantFrom('a', ' ', '\\u0000', '😀'), fc.constantFrom(255, 257, 10_000, 17_000, 70_000))
      .map(([unit, n]) => `{"username":"cosmo","password":"${unit.repeat(n)}"}`),
  },
);
const pathText = fc.oneof(
  fc.constantFrom('', '\xff', '%00', '%zz', '%', '%c0%ae', '..', '../..', '%2e%2e%2f', ';a=b', '//', '\\', "'", '*', ':id', 'null'),
  fc.uuid(),
  fc.string({ unit: 'binary', maxLength: 20 }).map(encodeURIComponentLoosely),
  ascii(20),
); // prettier-ignore
const query = fc.oneof(
  fc.constantFrom('', '?', '?limit=1', '?limit=1&limit=2', '?limit[]=1', '?limit[a]=1', '?cursor=%00', '?__proto__=1', '?__proto__[x]=1', '?access_token', '?access_token=a&access_token=b', '?%', '?%zz=%zz', '?=&=&&', `?${'a=1&'.repeat(2_000)}`, '?refresh_token=x#y', '?limit=1e400', '?\xff'),
  fc.string({ unit: 'binary', maxLength: 20 }).map((text) => `?limit=${encodeURIComponentLoosely(text)}`),
  ascii(30).map((text) => `?${text}`),
); // prettier-ignore
const type = fc.oneof(
  { weight: 5, arbitrary: fc.constant('application/json') },
  { weight: 1, arbitrary: fc.constantFrom(
    'application/json; charset=utf-16', 'application/json;;', 'APPLICATION/JSON', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/problem+json', 'application/json, text/plain', '', '/', 'a'.repeat(300), 'application/json\t', '*/*',
  ) },
); // prettier-ignore

/** What a request's target may hold: Node's parser refuses all beyond ASCII, and the target ends at the first space. */
function ascii(maxLength: number): fc.Arbitrary<string> {
  return fc.array(fc.integer({ min: 0x21, max: 0x7e }), { maxLength }).map(visible);
}
function visible(bytes: number[]): string {
  return Buffer.from(bytes.filter((byte) => byte !== 0x7f)).toString('latin1');
}
function encodeURIComponentLoosely(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, '�'));
}

export const inputs: fc.Arbitrary<Input> = fc.record({
  cell: fc.nat({ max: 0xffff }),
  method: fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...METHODS) }),
  place: fc.constantFrom(...PLACES),
  sameOrigin: fc.boolean(),
  junk: fc.oneof(
    fc.array(fc.integer({ min: 0x20, max: 0xff }), { maxLength: 60 }).map(visible),
    fc.constantFrom('a.b.c', '..', 'eyJhbGciOiJub25lIn0.e30.', 'x'.repeat(9_000), 'e30.e30.e30'),
  ),
  parameter: fc.oneof({ weight: 1, arbitrary: fc.constant(OWN) }, { weight: 3, arbitrary: pathText }),
  suffix: fc.oneof({ weight: 8, arbitrary: fc.constant('') }, { weight: 1, arbitrary: pathText }),
  query,
  headers: fc.array(fc.oneof({ weight: 6, arbitrary: header }, { weight: 1, arbitrary: cookieHeader }), { maxLength: 5 }),
  type,
  body: fc.oneof({ weight: 1, arbitrary: fc.constant(GOOD) }, { weight: 4, arbitrary: body }),
}); // prettier-ignore

/** One of which everything is as it should be, but for the token, if that is not the one asked for. */
export function goodInput(cell: number): Input {
  return {
    cell,
    method: null,
    place: 'header',
    sameOrigin: true,
    junk: 'a.b.c',
    parameter: OWN,
    suffix: '',
    query: '',
    headers: [],
    type: 'application/json',
    body: GOOD,
  };
}

const line = fc.oneof(
  fc.constantFrom(
    'GET /profile HTTP/1.1', 'POST /auth/login HTTP/1.1', 'GET /profile HTTP/1.0', 'GET /profile HTTP/2.0', 'GET http://x/profile HTTP/1.1', 'GET x HTTP/1.1', 'OPTIONS * HTTP/1.1', 'CONNECT x:1 HTTP/1.1', 'PRI * HTTP/2.0', 'GET  /profile HTTP/1.1', 'get /profile HTTP/1.1', 'GET /profile', 'FOO / HTTP/1.1', '\x16\x03\x01',
  ),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
); // prettier-ignore
const field = fc.oneof(
  fc.constantFrom(
    'Host: x', 'Host: x', 'Host: x', 'Host: y', 'Host:', 'Connection: close', 'Connection: keep-alive', 'Content-Length: 2', 'Content-Length: -1', 'Content-Length: 99999999999999999999', 'Content-Length: 2, 3', 'Content-Length: +2', 'Transfer-Encoding: chunked', 'Transfer-Encoding: chunked, identity', 'Transfer-Encoding: xchunked', 'Transfer-Encoding : chunked', 'Expect: 100-continue', 'Expect: something', 'Upgrade: websocket', 'Upgrade: h2c', 'Content-Type: application/json', 'Authorization: Bearer x', 'X: a\rb', 'X: a\nb', 'X: a\0b', ' folded: 1', ': empty', 'no colon', `X: ${'x'.repeat(17_000)}`, 'TE: trailers', 'Trailer: Authorization',
  ),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => `X-Any: ${Buffer.from(bytes).toString('latin1')}`),
); // prettier-ignore
const tail = fc.oneof(
  fc.constantFrom('', '{}', '2\r\n{}\r\n0\r\n\r\n', 'zz\r\n', '2;ext=1\r\n{}\r\n0\r\nAuthorization: Bearer x\r\n\r\n', 'fffffffff\r\n', '0\r\n\r\nGET /profile HTTP/1.1\r\nHost: x\r\n\r\n'),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
); // prettier-ignore
/** Invalid or almost valid HTTP: a first line, fields, how lines end, and what follows. */
export const wire = fc.tuple(
  line,
  fc.array(field, { maxLength: 6 }),
  fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r'),
  tail,
);
