import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { STATUS_CODES } from 'node:http';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { listRoutes, type Route } from '../../src/auth/index.js';
import { type TokenKind } from '../../src/tokens/token-claims.js';
import { describePostgres } from '../support/engines.js';
import { createTestApp, type TestApp, type TestLogin, type TestUser } from '../support/create-test-app.js';
import { ManualClock } from '../support/manual-clock.js';
import { exchange, portOf, type RawAnswer, type RawRequest, sendRaw } from '../support/raw-http.js';

/*
 * Anything that a socket can carry, to every endpoint. The seed is printed; FUZZ_SEED=… repeats a run, with
 * FUZZ_PATH=… its smallest failing input alone. LONG=1 tries 25 times as many.
 */

const LONG = process.env['LONG'] === '1';
const RUNS = { guided: LONG ? 40_000 : 1_600, wire: LONG ? 16_000 : 1_600 };
const SEED = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 0x7fffffff));
const PATH = process.env['FUZZ_PATH'];
const TIMEOUT = LONG ? 1_800_000 : 90_000;
/** Bytes by which the heap may grow over the second half of a run. */
const MOST_GROWTH = 48 * 2 ** 20;

const SHOWN = [
  'right',
  'right',
  'right',
  'none',
  'access',
  'stale access',
  'refresh',
  'broken',
  'junk',
] as const;
const PLACES = ['header', 'header', 'header', 'cookie', 'query', 'body'] as const;
const METHODS = 'GET HEAD POST PUT PATCH DELETE OPTIONS TRACE PROPFIND QUERY'.split(' ');

interface Guided {
  route: number;
  method: string | null;
  shown: (typeof SHOWN)[number];
  place: (typeof PLACES)[number];
  junk: string;
  parameter: string;
  suffix: string;
  query: string;
  headers: [name: string, value: Buffer][];
  type: string;
  body: string | Buffer | null;
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
      'X-Real-IP Sec-Fetch-Site Sec-Fetch-Mode If-None-Match If-Modified-Since Range X-HTTP-Method-Override ' +
      'Access-Control-Request-Method Access-Control-Request-Headers Content-Encoding Accept-Version Upgrade ' +
      'X-Original-URL X-Rewrite-URL traceparent __proto__ constructor'
    ).split(' '),
  ),
  fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,30}$/),
);
const tellingValue = fc.constantFrom(
  'Bearer', 'Bearer ', 'bearer a.b.c', 'Basic dTpw', 'null', '*', 'https://evil.example', 'cross-site', 'same-origin', 'gzip', '1'.repeat(255), '%00', '\x80\xff', 'a=b; a=c; =; ;;', '__Host-access_token=x; access_token=y', 'application/xml', '127.0.0.1, ::1', 'websocket', 'bytes=0-', 'GET', '1.0.0',
).map((text) => Buffer.from(text, 'latin1')); // prettier-ignore

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
  fc.constantFrom('', '%00', '%zz', '%', '%c0%ae', '..', '../..', '%2e%2e%2f', ';a=b', '//', '\\', "'", '*', ':id', 'null'),
  fc.uuid(),
  fc.string({ unit: 'binary', maxLength: 20 }).map(encodeURIComponentLoosely),
  fc.array(fc.integer({ min: 0x21, max: 0xff }), { maxLength: 20 }).map(visible),
); // prettier-ignore
const query = fc.oneof(
  fc.constantFrom('', '?', '?limit=1', '?limit=1&limit=2', '?limit[]=1', '?limit[a]=1', '?cursor=%00', '?__proto__=1', '?__proto__[x]=1', '?access_token', '?access_token=a&access_token=b', '?%', '?%zz=%zz', '?=&=&&', `?${'a=1&'.repeat(2_000)}`, '?refresh_token=x#y', '?limit=1e400'),
  fc.array(fc.integer({ min: 0x21, max: 0xff }), { maxLength: 30 }).map((bytes) => `?${visible(bytes)}`),
); // prettier-ignore
const type = fc.constantFrom(
  'application/json', 'application/json', 'application/json', 'application/json; charset=utf-16', 'application/json;;', 'APPLICATION/JSON', 'text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data', 'application/problem+json', 'application/json, text/plain', '', '/', 'a'.repeat(300), 'application/json\t', '*/*',
); // prettier-ignore

/** The target of a request ends at the first space. */
function visible(bytes: number[]): string {
  return Buffer.from(bytes.filter((byte) => byte !== 0x7f)).toString('latin1');
}
function encodeURIComponentLoosely(text: string): string {
  return encodeURIComponent(text.replace(/\p{Surrogate}/gu, '�'));
}

const guided: fc.Arbitrary<Guided> = fc.record({
  route: fc.nat(),
  method: fc.oneof({ weight: 8, arbitrary: fc.constant(null) }, { weight: 1, arbitrary: fc.constantFrom(...METHODS) }),
  shown: fc.constantFrom(...SHOWN),
  place: fc.constantFrom(...PLACES),
  junk: fc.oneof(
    fc.array(fc.integer({ min: 0x20, max: 0xff }), { maxLength: 60 }).map(visible),
    fc.constantFrom('a.b.c', '..', 'eyJhbGciOiJub25lIn0.e30.', 'x'.repeat(9_000), 'e30.e30.e30'),
  ),
  parameter: pathText,
  suffix: fc.oneof({ weight: 8, arbitrary: fc.constant('') }, { weight: 1, arbitrary: pathText }),
  query,
  headers: fc.array(fc.tuple(headerName, fc.oneof(headerValue, tellingValue)), { maxLength: 5 }),
  type,
  body,
}); // prettier-ignore

/** Readiness compares it with the database server's. */
class RunningClock extends ManualClock {
  override now(): number {
    return Date.now();
  }
}

interface Stage {
  env: Record<string, string>;
  engine: 'sqlite' | 'postgres';
}

function fuzz({ env, engine }: Stage): void {
  let api: TestApp;
  let port: number;
  let routes: Route[];
  let user: TestUser;
  let bystander: TestLogin;
  let login: TestLogin;
  let tried = 0;
  const seen = new Map<number, number>();
  const opened = new Set<string>();

  beforeAll(async () => {
    api = await createTestApp({ engine, env, clock: new RunningClock() });
    port = portOf(api.app);
    routes = [
      ...listRoutes(api.app),
      ...['/docs', '/openapi.json', '/nope', '/', '*'].map((path) => ({ ...listRoutes(api.app)[0]!, path })),
    ];
    bystander = await api.login();
    await renew();
  });
  afterAll(async () => {
    await api.close();
    const counts = [...seen].toSorted(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`);
    process.stdout.write(`fuzz [${engine}]: ${tried} inputs, FUZZ_SEED=${SEED}; ${counts.join(', ')}\n`);
  });

  async function renew(): Promise<void> {
    user = await api.register();
    login = await user.login();
  }

  /** The tokens that inputs show are replaced once an input has used them up. */
  async function keepAlive(): Promise<void> {
    const { status } = await sendRaw(port, {
      path: '/profile',
      headers: [['Authorization', `Bearer ${login.access}`]],
    });
    if (status === 200) return;
    try {
      login = await user.login();
    } catch {
      // The account is gone, or has another password.
      await renew();
    }
  }

  function tokenOf({ shown, junk }: Guided, kind: TokenKind): string | null {
    if (shown === 'right') return login[kind];
    if (shown === 'none') return null;
    if (shown === 'junk') return junk;
    if (shown === 'refresh') return login.refresh;
    return shown === 'broken' ? `${login.access.slice(0, -9)}AAAAAAAAA` : login.access;
  }

  function toRequest(input: Guided): RawRequest {
    const route = routes[input.route % routes.length]!;
    const kind = route.policy.level === 'refresh' ? 'refresh' : 'access';
    const token = tokenOf(input, kind);
    const headers: [string, string | Buffer][] = [...input.headers];
    let { query: search, body: content } = input;
    if (token !== null && input.place === 'header') headers.push(['Authorization', `Bearer ${token}`]);
    if (token !== null && input.place === 'cookie') headers.push(['Cookie', `${kind}_token=${token}`]);
    if (token !== null && input.place === 'query') {
      search = `${search || '?'}&${kind}_token=${encodeURIComponent(token)}`;
    }
    if (token !== null && input.place === 'body' && typeof content === 'string') {
      content = content.replace(/^\{/, `{${JSON.stringify(`${kind}_token`)}:${JSON.stringify(token)},`);
    }
    const method = input.method ?? route.method;
    const path = route.path.replace(/:\w+/g, () => input.parameter) + input.suffix + search;
    if (content !== null) headers.push(['Content-Type', input.type]);
    return { method, path, headers, ...(content === null ? {} : { body: content }) };
  }

  /** What every answer owes its client. */
  function expectSound({ status, headers, body: error, text }: RawAnswer, method: string): void {
    tried++;
    seen.set(status, (seen.get(status) ?? 0) + 1);
    expect(status).toBeGreaterThanOrEqual(200);
    if (status >= 500) throw new Error(`${status}: ${text}`);
    expect(headers.get('x-request-id')).toMatch(/^[\w.-]{1,64}$/);
    // Of a HEAD nobody sees which 403 it is.
    if (status !== 403 || method !== 'HEAD') {
      expect(headers.has('www-authenticate')).toBe(
        status === 401 || error?.['errorCode'] === 'insufficient_role',
      );
    }
    if (status === 401)
      expect(headers.get('www-authenticate')).toMatch(/^Bearer( [a-z_]+="[^"]*"(, [a-z_]+="[^"]*")*)?$/);
    if (status < 400 || method === 'HEAD') return;
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(error).toMatchObject({
      statusCode: status,
      error: STATUS_CODES[status],
      message: expect.any(String),
      errorCode: expect.stringMatching(/^[a-z_]+$/),
    });
    if (error?.['errorCode'] === 'validation_failed') {
      expect(error['errors']).toEqual(
        expect.arrayContaining([{ field: expect.any(String), messages: [expect.any(String)] }]),
      );
    }
    // Nothing of the inside: no stack, no query, no file.
    expect(text).not.toMatch(/\bat \S+ \(|node_modules|\.[jt]s:\d|SQLITE_|select \*|insert into/i);
  }

  it(
    '#91 #92 #93 is answered as the contract says, whatever it is',
    async () => {
      const sizes: number[] = [];
      let count = 0;
      await fc.assert(
        fc.asyncProperty(guided, async (input) => {
          if (input.shown === 'stale access' && count % 10 === 0) await login.rotate().catch(renew);
          const sent = toRequest(input);
          const answer = await sendRaw(port, sent);
          expectSound(answer, sent.method!);
          if (answer.status < 300) opened.add(`${sent.method} ${routes[input.route % routes.length]!.path}`);
          if (answer.status < 300 || /^token_(revoked|expired)$/.test(String(answer.body?.['errorCode'])))
            await keepAlive();
          if (++count === Math.floor(RUNS.guided / 2) || count === RUNS.guided) sizes.push(heap());
        }),
        {
          numRuns: RUNS.guided,
          seed: SEED,
          ...(PATH === undefined ? {} : { path: PATH }),
          endOnFailure: false,
        },
      );
      const [half = 0, whole = 0] = sizes;
      expect(whole - half).toBeLessThan(MOST_GROWTH);
      // Else it would prove little: inputs came past the guards.
      if (PATH === undefined)
        expect([...opened]).toEqual(expect.arrayContaining(['GET /profile', 'POST /auth/refresh']));
    },
    TIMEOUT,
  );

  it(
    'is answered or cut off where it is no HTTP at all',
    async () => {
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
      const wire = fc.tuple(
        line,
        fc.array(field, { maxLength: 6 }),
        fc.constantFrom('\r\n', '\r\n', '\r\n', '\n', '\r'),
        tail,
      );
      // Many at a time: a sender who breaks off is waited for.
      await fc.assert(
        fc.asyncProperty(fc.array(wire, { minLength: 1, maxLength: 16 }), async (messages) => {
          await Promise.all(
            messages.map(async ([first, fields, end, rest]) => {
              const bytes = Buffer.from([first, ...fields, '', rest].join(end), 'latin1');
              const answer = await exchange(port, bytes, true);
              // 0: half a request was cut off, as it should.
              if (answer.status === 0) tried++;
              else expectSound(answer, first.startsWith('HEAD') ? 'HEAD' : 'GET');
            }),
          );
        }),
        { numRuns: Math.ceil(RUNS.wire / 8), seed: SEED, endOnFailure: false },
      );
    },
    TIMEOUT,
  );

  it('has touched nobody else', async () => {
    const { body: profile } = await api.request('GET', '/profile', bystander.access).expect(200);
    expect(profile).toMatchObject({ id: bystander.user.id, username: bystander.user.username, fresh: true });
    const { body: account } = await api.request('GET', '/transfers', bystander.access).expect(200);
    expect(account).toMatchObject({ balance: 100_000, items: [] });
    await bystander.user.login();
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
}

const EVERYWHERE = { TOKEN_LOCATIONS: 'header,cookie,query,body' };
describe('an input [tokens in headers alone, sqlite]', () => fuzz({ env: {}, engine: 'sqlite' }));
describe('an input [tokens anywhere, sqlite]', () => fuzz({ env: EVERYWHERE, engine: 'sqlite' }));
describePostgres('an input [tokens anywhere, postgres]', () => fuzz({ env: EVERYWHERE, engine: 'postgres' }));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
function heap(): number {
  collect();
  return process.memoryUsage().heapUsed;
}
