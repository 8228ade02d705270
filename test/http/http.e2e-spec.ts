import { Body, Controller, Get, type MiddlewareConsumer, type NestModule, Post, Res } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { IsInt, IsString, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import jsonwebtoken, { type JwtPayload } from 'jsonwebtoken';
import { sql } from 'kysely';
import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { Public } from '../../src/auth/index.js';
import { listRoutes } from '../../src/auth/internals.js';
import { Database, DatabaseUnavailableError } from '../../src/database/index.js';
import { createTestApp, type TestApp } from '../support/create-test-app.js';
import { dump } from '../support/dump.js';
import { describeEachEngine } from '../support/engines.js';
import { expectError } from '../support/expect-error.js';
import { exchange, portOf, sendRaw } from '../support/raw-http.js';
import { OnceController } from '../support/once.controller.js';

class ItemDto {
  @IsInt()
  readonly count!: number;
}

class OrderDto {
  @IsString()
  readonly name!: string;

  @ValidateNested({ each: true })
  @Type(() => ItemDto)
  readonly items!: ItemDto[];
}

@Public()
@Controller('team')
class TeamController {
  @Post('orders')
  order(@Body() body: OrderDto): OrderDto {
    return body;
  }

  @Get('by-hand')
  byHand(@Res() reply: { raw: ServerResponse }): void {
    reply.raw.writeHead(200, 'OK', { 'Referrer-Policy': 'same-origin' }).end('by hand');
  }

  @Get('broken')
  broken(): never {
    throw new Error('the secret reason');
  }

  @Get('another-service')
  anotherService(): never {
    throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  }

  @Get('unreachable')
  unreachable(): never {
    throw new DatabaseUnavailableError(new Error('connect ECONNREFUSED'));
  }
}

/** An application that verifies other JWTs itself: errors of its library say nothing about our tokens. */
@Public()
@Controller('own-jwt')
class OwnJwtController {
  @Get('malformed')
  malformed(): object {
    return jsonwebtoken.verify('nonsense', 'secret') as object;
  }

  @Get('expired')
  expired(): object {
    return jsonwebtoken.verify(jsonwebtoken.sign({ exp: 1 }, 'secret'), 'secret') as object;
  }

  @Get('early')
  early(): object {
    return jsonwebtoken.verify(jsonwebtoken.sign({ nbf: 9e9 }, 'secret'), 'secret') as object;
  }
}

describe('an error answer', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [TeamController, OwnJwtController] });
  });
  afterAll(() => api.close());

  const post = (path: string, body: string, type = 'application/json') =>
    api.request('POST', path).set('Content-Type', type).send(body);

  it('names every field that is wrong, and why', async () => {
    const response = await post('/auth/register', '{"username":"x","password":["a"],"role":"admin"}');
    expectError(response, 400, 'validation_failed');
    expect(response.body.errors).toEqual([
      { field: 'role', messages: ['property role should not exist'] },
      { field: 'username', messages: [expect.stringContaining('3 to 32')] },
      { field: 'password', messages: [expect.stringContaining('string')] },
    ]);
  });

  it('refuses a password that is not valid Unicode, because several such would be equal', async () => {
    const response = await post('/auth/register', '{"username":"cosmo","password":"space-corgi\\ud800"}');
    expectError(response, 400, 'validation_failed');
    expect(response.body.errors).toEqual([
      { field: 'password', messages: [expect.stringContaining('Unicode')] },
    ]);
  });

  it('is 400 for bytes that are not UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"username":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]);
    const headers = { 'Content-Type': 'application/json' };
    const response = await fetch(`${await api.app.getUrl()}/auth/login`, { method: 'POST', headers, body });
    expect(await response.json()).toMatchObject({
      errorCode: 'validation_failed',
      errors: [{ field: 'body', messages: ['is not UTF-8'] }],
    });
  });

  it('stays short for a body of many wrong members', async () => {
    const members = Array.from({ length: 60 }, (_, i) => `"m${i}":1`).join(',');
    const response = await post('/auth/login', `{${members}}`);
    expect(response.status).toBe(400);
    expect(response.body.errors).toHaveLength(20);
  });

  it('treats a name in capitals as the same name, and no other letter as an ASCII letter', async () => {
    const response = await post('/auth/register', '{"username":"\u212aelvin","password":"space-corgi"}');
    expectError(response, 400, 'validation_failed');
  });

  it('gives the path to a nested field', async () => {
    const response = await post('/team/orders', '{"name":"x","items":[{"count":1},{"count":"2","x":1}]}');
    const fields = (response.body.errors as { field: string }[]).map(({ field }) => field);
    expect(fields).toEqual(expect.arrayContaining(['items.1.count', 'items.1.x']));
  });

  it.each([
    ['broken JSON', '{"username":'],
    ['an array', '[]'],
    ['a list of bodies', '[{"username":"cosmo","password":"space-corgi"}]'],
    ['null', 'null'],
    ['a string', '"x"'],
    ['a number', '1'],
    ['no members', '{}'],
    ['nothing', ''],
    ['a prototype', '{"username":"cosmo","password":"space-corgi","__proto__":{"x":1}}'],
    ['a constructor', '{"username":"cosmo","password":"space-corgi","constructor":{"prototype":{"x":1}}}'],
    ['nested 9 levels deep', `{"username":"cosmo","password":${'['.repeat(8)}${']'.repeat(8)}}`],
    ['nested 4,000 levels deep', `{"x":${'['.repeat(4_000)}${']'.repeat(4_000)}}`],
    ['open 1,300 levels deep', '{"x":'.repeat(1_300)],
    ['a member that every object inherits', '{"username":"cosmo","password":"space-corgi","toString":1}'],
    ['an object for a string', '{"username":{"$ne":null},"password":{"length":9}}'],
  ])('is 400 with reasons for a body that is %s', async (_, body) => {
    const response = await post('/auth/login', body);
    expectError(response, 400, 'validation_failed');
    expect(response.body.errors).toEqual(
      expect.arrayContaining([{ field: expect.any(String), messages: [expect.any(String)] }]),
    );
  });

  it.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
  ])('is 415 for a body of %s, which a form of another site could submit', async (type) => {
    expectError(
      await post('/auth/login', 'username=cosmo&password=space-corgi', type),
      415,
      'unsupported_media_type',
    );
  });

  it('is 413 for a body beyond the limit', async () => {
    const body = JSON.stringify({ username: 'cosmo', password: 'x'.repeat(70_000) });
    expectError(await post('/auth/login', body), 413, 'payload_too_large');
  });

  it('is 400 or 401 for a body too deep and a token too long, before anything looks into them', async () => {
    expectError(await post('/auth/login', '['.repeat(6_000)), 400, 'validation_failed');
    const long = await sendRaw(portOf(api.app), {
      path: '/profile',
      headers: [['Authorization', `Bearer ${'e30.'.repeat(2_500)}`]],
    });
    expect([long.status, long.body?.['errorCode']]).toEqual([401, 'token_invalid']);
  });

  it.each([
    '/nope',
    '/auth',
    '/auth/login',
    '/%zz',
    '/%ff',
    '/profile/%zz',
    `/${'x'.repeat(5000)}`,
    '/..%2f..%2fetc',
  ])('is 404 for GET %s, in the same shape', async (path) => {
    expectError(await api.request('GET', path), 404, 'not_found');
  });

  it('is 500 without the reason when a handler breaks', async () => {
    const response = await api.request('GET', '/team/broken');
    expectError(response, 500, 'internal_error');
    expect(response.text).not.toContain('secret');
  });

  it('is 500, not 503, when another service that a handler calls is unavailable', async () => {
    expectError(await api.request('GET', '/team/another-service'), 500, 'internal_error');
  });

  it.each(['malformed', 'expired', 'early'])(
    'is 500, not 401, when a JWT that the application itself verifies is %s',
    async (path) => {
      const { access } = await api.login();
      const response = await api.request('GET', `/own-jwt/${path}`, access);
      expectError(response, 500, 'internal_error');
      expect(response.text).not.toContain('jwt');
    },
  );

  it('is 503 with Retry-After when the database is away', async () => {
    const response = await api.request('GET', '/team/unreachable');
    expectError(response, 503, 'database_unavailable');
    expect(Number(response.headers['retry-after'])).toBeGreaterThan(0);
  });

  it('carries the caller’s request id, or one of ours where that could forge a log line', async () => {
    const given = await api.request('GET', '/nope').set('X-Request-Id', 'trace-1.a');
    expect(given.headers['x-request-id']).toBe('trace-1.a');
    const forged = await api.request('GET', '/nope').set('X-Request-Id', 'x 200 GET /admin');
    expect(forged.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is given for requests that no HTTP library would send', async () => {
    const { port } = api.app.getHttpServer().address() as { port: number };
    const raw = (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.end(text));
        let answer = '';
        socket.on('data', (chunk) => (answer += chunk.toString()));
        socket.on('end', () => resolve(answer));
        socket.on('error', reject);
      });
    const login = await api.login();
    const head = 'GET /profile HTTP/1.1\r\nHost: x\r\nConnection: close\r\n';
    const twice = await raw(
      `${head}Authorization: Bearer ${login.access}\r\nAuthorization: Bearer x\r\n\r\n`,
    );
    expect(twice).toMatch(/^HTTP\/1.1 401 [^]*token_invalid/);
    expect(await raw(`${head}Authorization: , ,\r\n\r\n`)).toMatch(/^HTTP\/1.1 401 [^]*token_missing/);
    expect(await raw(`${head}Authorization:\r\n\r\n`)).toMatch(/^HTTP\/1.1 401 [^]*token_missing/);
    expect(await raw('POST /auth/logout HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n')).toMatch(
      /^HTTP\/1.1 400 [^]*"errorCode":"validation_failed"/,
    );
    const huge = await raw(`${head}X-Filler: ${'x'.repeat(20_000)}\r\n\r\n`);
    expect(huge).toMatch(/^HTTP\/1.1 431 [^]*X-Request-Id: [^]*request_header_fields_too_large/);
  });

  it.each<[string, string, number]>([
    ['names no host', 'GET /profile HTTP/1.1\r\nConnection: close', 400],
    [
      'has an unknown expectation (RFC 9110 §10.1.1)',
      'GET /profile HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: y',
      401,
    ],
  ])('is not left to Node for a request that %s', async (_, head, status) => {
    const answer = await exchange(portOf(api.app), Buffer.from(`${head}\r\n\r\n`));
    expect(answer.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.body).toMatchObject({ statusCode: status, errorCode: expect.any(String) });
  });

  it('is sent when a request takes too long to arrive', async () => {
    const server = api.app.getHttpServer() as Server;
    const bounds = { headersTimeout: 10_000, requestTimeout: 15_000 };
    expect(server).toMatchObject(bounds);
    Object.assign(server, { headersTimeout: 100, requestTimeout: 100 });
    try {
      const head = 'POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
      const halves = [head, `${head}Content-Length: 100\r\n\r\n{`];
      for (const { status, body } of await Promise.all(
        halves.map((half) => exchange(portOf(api.app), Buffer.from(half))),
      ))
        expect([status, body?.['errorCode']]).toEqual([408, 'request_timeout']);
    } finally {
      Object.assign(server, bounds);
    }
  });
});

const SECURITY_HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'content-security-policy': "default-src 'none';base-uri 'none';form-action 'none';frame-ancestors 'none'",
};

/** Answers on Node's response, past everything that Fastify sends with a reply. */
class EndsModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply((_: IncomingMessage, response: ServerResponse) => response.end('from a middleware'))
      .forRoutes('ended');
  }
}

describe('every answer of an application with middleware', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ imports: [EndsModule], controllers: [TeamController] });
  });
  afterAll(() => api.close());

  it.each(['/ended', '/health/live', '/nope', '/team/broken', '/team/by-hand'])(
    'has the security headers: %s',
    async (path) => {
      const response = await api.request('GET', path);
      expect(response.text).toMatch(path === '/ended' ? /^from a middleware$/ : /./);
      const { 'referrer-policy': _, ...others } = SECURITY_HEADERS;
      expect(response.headers).toMatchObject(path === '/team/by-hand' ? others : SECURITY_HEADERS);
    },
  );
});

it('a handler that answers by hand may set its own in their place', async () => {
  const api = await createTestApp({ controllers: [TeamController] });
  try {
    const { headers, text } = await api.request('GET', '/team/by-hand');
    expect(text).toBe('by hand');
    expect(headers).toMatchObject({ ...SECURITY_HEADERS, 'referrer-policy': 'same-origin' });
  } finally {
    await api.close();
  }
});

describe('every answer', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ env: { CORS_ORIGINS: 'https://app.example.com, http://localhost:5173' } });
  });
  afterAll(() => api.close());

  it.each(['/health/live', '/nope', '/profile', '/%zz'])('has the security headers: %s', async (path) => {
    const { headers } = await api.request('GET', path);
    expect(headers).toMatchObject(SECURITY_HEADERS);
    expect(headers).not.toHaveProperty('x-powered-by');
    // On plain HTTP it would lock developers out of everything else on their machine.
    expect(headers).not.toHaveProperty('strict-transport-security');
  });

  it('about tokens or users may not be cached or framed', async () => {
    const user = await api.user();
    const { username, password } = user;
    const [login, other] = [await user.login(), await user.login()];
    const answers = [
      await api.request('POST', '/auth/login').send({ username, password }),
      await api.request('GET', '/profile', login.access),
      await api.request('GET', '/auth/sessions', login.access),
      await login.tryRefresh(login.refresh, 'a'),
      await other.tryReauthenticate(other.refresh, password),
      await api
        .request('PUT', '/auth/password', login.access)
        .send({ current_password: password, new_password: 'lunar-dachshund' }),
    ];
    for (const { status, headers } of answers) {
      expect([status, headers['cache-control']]).toEqual([200, 'no-store']);
      expect(headers).toMatchObject({
        ...SECURITY_HEADERS,
        'x-frame-options': expect.stringMatching(/DENY|SAMEORIGIN/i),
      });
    }
  });

  it('to GET, HEAD or OPTIONS changes nothing, on the paths that change things by other methods', async () => {
    const login = await api.login();
    const changing = listRoutes(api.app).filter(({ method }) => method !== 'GET');
    expect(changing.length).toBeGreaterThan(8);
    const before = await dump(api);
    for (const { path } of changing) {
      const token = path.includes('refresh') ? login.refresh : login.access;
      const url = path.replace(':id', login.user.id);
      for (const method of ['GET', 'HEAD', 'OPTIONS']) {
        const { status } = await api.request(method, url, token);
        expect(`${method} ${url}: ${status}`).not.toMatch(/: 5/);
      }
    }
    expect(await dump(api)).toEqual(before);
    await login.rotate();
  });

  it('is readable by the configured origins, with the headers a client needs', async () => {
    const origin = 'http://localhost:5173';
    const { headers } = await api.request('GET', '/profile').set('Origin', origin);
    expect(headers['access-control-allow-origin']).toBe(origin);
    for (const name of ['WWW-Authenticate', 'Retry-After', 'RateLimit', 'X-Request-Id']) {
      expect(headers['access-control-expose-headers']).toContain(name);
    }
    const preflight = await api.request('OPTIONS', '/auth/password').set({
      Origin: origin,
      'Access-Control-Request-Method': 'PUT',
      'Access-Control-Request-Headers': 'authorization',
    });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['x-request-id']).toMatch(/^[\w-]{36}$/);
    expect(preflight.headers['access-control-allow-methods']).toContain('PUT');
  });

  it.each([
    ['/profile', {}],
    ['/profile', { Origin: 'http://localhost:5173' }],
    ['/nope', { 'Access-Control-Request-Method': 'PUT' }],
    ['*', {}],
  ])(
    'to OPTIONS that is no preflight, of %s with %j, has no other shape than all others',
    async (path, headers) => {
      const answer = await sendRaw(portOf(api.app), {
        method: 'OPTIONS',
        path,
        headers: Object.entries(headers),
      });
      expect([answer.status, answer.text]).toEqual([204, '']);
      expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
      expect(answer.headers.get('access-control-allow-methods')).toContain('PUT');
    },
  );

  it.each(['/profile', '/nope', '*'])('has the usual shape for OPTIONS %s without a Host', async (path) => {
    const answer = await exchange(
      portOf(api.app),
      Buffer.from(`OPTIONS ${path} HTTP/1.1\r\nConnection: close\r\n\r\n`),
    );
    expect(answer.body).toMatchObject({ statusCode: 400, errorCode: 'validation_failed' });
    expect(answer.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/);
  });

  it.each(['https://evil.example.com', 'null', 'https://app.example.com.evil.com', 'http://app.example.com'])(
    'is not readable by %s',
    async (origin) => {
      const { headers } = await api.request('GET', '/profile').set('Origin', origin);
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    },
  );
});

describe('the public documents', () => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ controllers: [OnceController], env: { OPENAPI: 'on' } });
  });
  afterAll(() => api.close());

  it('include the keys: public halves only, and they verify what was issued', async () => {
    const response = await api.request('GET', '/.well-known/jwks.json').expect(200);
    expect(response.headers['cache-control']).toBe('max-age=300');
    expect(response.headers['content-type']).toMatch(/^application\/jwk-set\+json(;|$)/);
    const { keys } = response.body as { keys: (JsonWebKey & { kid: string })[] };
    expect(keys).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: expect.any(String),
        y: expect.any(String),
        kid: expect.any(String),
        alg: 'ES256',
        use: 'sig',
      },
    ]);
    const login = await api.login();
    const key = createPublicKey({ key: keys[0]!, format: 'jwk' });
    const claims = jsonwebtoken.verify(login.access, key, {
      algorithms: ['ES256'],
      issuer: 'freshgate',
      audience: 'freshgate',
    });
    expect((claims as JwtPayload).sub).toBe(login.user.id);
  });

  it('include Swagger UI and an OpenAPI 3.1 document with every route and its protection', async () => {
    const page = await api.request('GET', '/docs').expect(200);
    expect(page.text).toContain('swagger-ui');
    expect(page.headers['content-security-policy']).toMatch(/^default-src 'self';/);
    // It would leave the page blank on plain HTTP.
    expect(page.headers['content-security-policy']).not.toContain('upgrade-insecure-requests');
    expect(page.headers['x-content-type-options']).toBe('nosniff');
    const { body } = await api.request('GET', '/openapi.json').expect(200);
    expect(body.openapi).toMatch(/^3\.1\./);
    const routes = listRoutes(api.app);
    const documented = Object.entries(body.paths as Record<string, object>).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.toSorted()).toEqual(
      routes.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`).toSorted(),
    );
    const security = (path: string, method: string) => body.paths[path][method].security as unknown;
    expect(security('/auth/login', 'post')).toEqual([]);
    expect(security('/profile', 'get')).toEqual([{ access_token: [] }]);
    expect(security('/auth/refresh', 'post')).toEqual([{ refresh_token: [] }]);
    expect(body.paths['/once'].post.responses['401'].description).toContain('fresh_token_required');
    expect(body.paths['/once'].post.description).toBe(
      'Requires a fresh access token: its proof is at most 15m old. A success uses the token up.',
    );
  });

  it('document the refusals of each route as they come: the challenge to the letter, the body by its schema', async () => {
    const { body } = await api.request('GET', '/openapi.json').expect(200);
    const { required, properties } = body.components.schemas.ErrorDto;
    const guarded = listRoutes(api.app).filter(({ policy }) => policy.level !== 'public');
    const stale = await api.as('stale').stale();
    for (const { method, path, policy, roles } of guarded) {
      const template = path.replace(/:(\w+)/g, '{$1}');
      const answer = body.paths[template][method.toLowerCase()].responses['401'];
      const { examples } = answer.headers['WWW-Authenticate'];
      const missing = await api.request(method, path);
      expect([path, missing.headers['www-authenticate']]).toEqual([path, examples.token_missing.value]);
      expect(Object.keys(missing.body)).toEqual(required);
      expect(Object.keys(properties)).toEqual([...required, 'errors']);
      if (policy.level !== 'fresh-access' || roles.length > 0) continue;
      const refused = await stale[method.toLowerCase() as 'get'](path);
      expect([path, refused.headers['www-authenticate']]).toEqual([
        path,
        examples.fresh_token_required.value,
      ]);
    }
  });

  it('let Swagger UI go on with the tokens that it was given', async () => {
    const { text } = await api.request('GET', '/docs/swagger-ui-init.js').expect(200);
    expect(text).toContain("preauthorizeApiKey('access_token'");
  });

  it('include the files of Swagger UI, with caching headers and HEAD, and no other files', async () => {
    const path = '/docs/swagger-ui.css';
    const { headers, text } = await api.request('GET', path).expect(200);
    expect(headers).toMatchObject({
      'content-type': expect.stringContaining('text/css'),
      'content-length': String(Buffer.byteLength(text)),
      'x-request-id': expect.any(String),
      'x-content-type-options': 'nosniff',
    });
    await api.request('GET', path).set('If-None-Match', String(headers['etag'])).expect(304, '');
    const probe = await api.request('HEAD', path).expect(200);
    expect(probe.headers['content-length']).toBe(headers['content-length']);
    expectError(await api.request('GET', '/docs/nothing.css'), 404, 'not_found');
    expectError(await api.request('GET', path).set('Range', 'bytes=9999999-'), 416, 'range_not_satisfiable');
  });
});

describeEachEngine('health', (engine) => {
  let api: TestApp;
  beforeAll(async () => {
    api = await createTestApp({ engine });
  });
  afterAll(() => api.close());

  // The clock stands still, and PostgreSQL's goes on: on a busy machine they would differ by more than is allowed.
  beforeEach(() => api.clock.advance(Date.now() - api.clock.now()));

  it('is live and ready', async () => {
    await api.request('GET', '/health/live').expect(200);
    const { body } = await api.request('GET', '/health/ready').expect(200);
    expect(body).toMatchObject({
      status: 'ok',
      details: { database: { status: 'up' }, migrations: { status: 'up' }, clock: { status: 'up' } },
    });
  });

  it('is ready beside the migrations of a newer version, and not ready without its own, which it names', async () => {
    const db = api.get(Database);
    const rename = (from: string, to: string) =>
      sql`update kysely_migration set name = ${to} where name = ${from}`.execute(db);
    await sql`insert into kysely_migration (name, timestamp) values ('2999-01-01.1-newer', '2999')`.execute(
      db,
    );
    await api.request('GET', '/health/ready').expect(200);
    await rename('2026-11-22.1-users', '2026-11-22.1-other');
    const { body } = await api.request('GET', '/health/ready').expect(503);
    expect(body.error).toEqual({ migrations: expect.objectContaining({ status: 'down' }) });
    await rename('2026-11-22.1-other', '2026-11-22.1-users');
    await api.request('GET', '/health/ready').expect(200);
  });

  it('is not ready when its clock is not the database server’s, and names the clock', async () => {
    api.clock.advance('10s');
    const response = await api.request('GET', '/health/ready');
    if (engine === 'sqlite') {
      // An embedded database has no clock to differ from.
      expect(response.status).toBe(200);
      return;
    }
    expect(response.status).toBe(503);
    expect(response.body.error).toEqual({ clock: expect.objectContaining({ status: 'down' }) });
    expect(JSON.stringify(response.body.error)).toContain('differs');
    await api.request('GET', '/health/live').expect(200);
  });
});
