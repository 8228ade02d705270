import { All, Controller, Get, Post } from '@nestjs/common';
import { DiscoveryService } from '@nestjs/core';
import { ApiOperation, DocumentBuilder, type OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  Access,
  AccessOrRefresh,
  ApiErrors,
  ERROR_CODES,
  FreshAccess,
  OptionalAccess,
  Public,
  Refresh,
  Roles,
} from '../../src/auth/index.js';
import { generateKeySet } from '../../src/keys/key-file.js';
import { createOpenApiDocument } from '../../src/openapi/index.js';
import { createTestApp as startBare, type TestApp } from '../../src/testing/index.js';
import { createTestApp } from '../support/create-test-app.js';
import { documentedErrors } from '../support/documented-errors.js';
import { makeFolder } from '../support/server-process.js';

const execute = promisify(execFile);

declare module '../../src/auth/index.js' {
  interface ErrorCodes {
    vault_locked: 409;
  }
}

@Controller('vault')
class VaultController {
  @FreshAccess({ maxAge: '5m' })
  @All('all')
  all() {}

  @Roles('ops')
  @Get(['one', 'other'])
  several() {}

  @OptionalAccess()
  @Get('optional')
  optional() {}

  @Access({ skipRevocationCheck: true })
  @Get('skip')
  skip() {}

  @AccessOrRefresh()
  @Get('either')
  either() {}

  @Refresh()
  @Get('refresh')
  shown() {}

  @Public()
  @Post('public')
  open() {}

  @FreshAccess({ once: true })
  @ApiOperation({ operationId: 'payOnce' })
  @ApiErrors({ 404: 'not_found', 409: 'vault_locked' })
  @Post('named')
  named() {}
}

@Controller('safe')
class SafeController {
  @Public()
  @Get('open')
  open() {}
}

interface Response {
  description: string;
  headers?: Record<string, { examples?: object }>;
  content?: Record<
    string,
    { schema: { allOf?: [object, { properties: Record<string, { enum: unknown[] }> }] } }
  >;
}

interface Operation {
  operationId: string;
  summary?: string;
  security: object[];
  description?: string;
  tags?: string[];
  responses: Record<string, Response>;
}

const operationsOf = ({ paths }: OpenAPIObject): [path: string, method: string, operation: Operation][] =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, Operation>).map(
      ([method, operation]): [string, string, Operation] => [path, method, operation],
    ),
  );

function codesOf({ responses }: Operation, status: number): unknown[] | undefined {
  const schema = responses[status]?.content?.['application/json']?.schema;
  return schema?.allOf?.[1].properties['errorCode']?.enum;
}

/** Every error response that has codes, as `@ApiErrors` takes them. */
const errorsOf = (operation: Operation) =>
  Object.fromEntries(
    Object.keys(operation.responses)
      .map((status) => [status, codesOf(operation, Number(status))] as const)
      .filter(([, codes]) => codes !== undefined),
  );

describe('createOpenApiDocument, for an application with a prefix', () => {
  let app: TestApp;
  let document: OpenAPIObject;
  beforeAll(async () => {
    app = await startBare({
      controllers: [VaultController, SafeController],
      configure: (made) => made.setGlobalPrefix('api'),
    });
    document = createOpenApiDocument(app.app, new DocumentBuilder().build());
  });
  afterAll(() => app.close());

  const at = (path: string, method = 'get') =>
    (document.paths[`/api/${path}`] as unknown as Record<string, Operation>)[method]!;

  it('describes the protection of every method of an @All route', () => {
    for (const method of ['get', 'post', 'delete', 'patch']) {
      expect(at('vault/all', method).security).toEqual([{ access_token: [] }]);
      expect(at('vault/all', method).description).toContain('at most 5m old');
    }
  });

  it('describes every path of a handler with several, and keeps an operation id that a handler sets', () => {
    for (const path of ['vault/one', 'vault/other']) {
      expect(at(path).description).toBe('Requires an access token. The token must have the role ops.');
      expect(codesOf(at(path), 403)).toEqual(['insufficient_role']);
    }
    expect(at('vault/named', 'post')).toMatchObject({
      operationId: 'payOnce',
      description:
        'Requires a fresh access token: its proof is at most 15m old. A success uses the token up.',
    });
  });

  it('lists the public routes as public, and no other', () => {
    const open = operationsOf(document)
      .filter(([, , { security }]) => security.length === 0)
      .map(([path, method]) => `${method} ${path}`);
    expect(open.toSorted()).toEqual([
      'get /.well-known/jwks.json',
      'get /api/safe/open',
      'post /api/auth/login',
      'post /api/auth/register',
      'post /api/vault/public',
    ]);
  });

  it('names operations after their handlers, and with the controller where two have the same name', () => {
    const ids = operationsOf(document).map(([, , { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).toEqual(
      expect.arrayContaining([
        'several_0',
        'several_1',
        'all_get',
        'optional',
        'openVault',
        'openSafe',
        'login',
      ]),
    );
  });

  it('uses the application’s own operation id factory, unless two handlers would get the same id', () => {
    const outline = new DocumentBuilder().build();
    const named = createOpenApiDocument(app.app, outline, {
      operationIdFactory: (controller, method) => `${controller}-${method}`,
    });
    const operation = (named.paths['/api/vault/all'] as unknown as Record<string, Operation>)['post'];
    expect(operation).toMatchObject({
      operationId: 'VaultController-all_post',
      description: expect.stringContaining('5m'),
    });
    expect(() => createOpenApiDocument(app.app, outline, { operationIdFactory: () => 'same' })).toThrow(
      /have the same operation id: same/,
    );
  });

  it('lists the token errors that each kind of protection can answer', () => {
    const revocable = ['token_invalid', 'token_expired', 'token_wrong_type', 'token_revoked'];
    expect(codesOf(at('vault/optional'), 401)).toEqual(revocable);
    expect(codesOf(at('vault/refresh'), 401)).toEqual(['token_missing', ...revocable]);
    expect(codesOf(at('vault/skip'), 401)).not.toContain('token_revoked');
    expect(codesOf(at('vault/either'), 401)).not.toContain('token_wrong_type');
    expect(codesOf(at('auth/logout', 'post'), 401)).toEqual(['token_missing', 'token_invalid']);
    expect(codesOf(at('auth/reauthenticate', 'post'), 401)).toEqual([
      'invalid_credentials',
      'token_missing',
      ...revocable,
      'refresh_token_reused',
    ]);
    expect(codesOf(at('vault/skip'), 503)).not.toContain('revocation_feed_lost');
    expect(codesOf(at('vault/one'), 503)).toContain('revocation_feed_lost');
  });

  it('adds the codes of a feature to those of the guard', () => {
    expect(errorsOf(at('vault/named', 'post'))).toEqual({
      400: ['validation_failed'],
      401: [
        'token_missing',
        'token_invalid',
        'token_expired',
        'token_wrong_type',
        'token_revoked',
        'fresh_token_required',
      ],
      404: ['not_found'],
      409: ['vault_locked'],
      413: ['payload_too_large'],
      415: ['unsupported_media_type'],
      503: ['overloaded', 'database_unavailable'],
    });
    expect(at('vault/named', 'post').responses['409']?.description).toBe('`vault_locked`');
  });
});

describe('the OpenAPI document of this application', () => {
  let api: TestApp;
  let document: OpenAPIObject;
  beforeAll(async () => {
    api = await createTestApp({ env: { OPENAPI: 'on' } });
    document = (await api.request('GET', '/openapi.json').expect(200)).body as OpenAPIObject;
  });
  afterAll(() => api.close());

  const find = (id: string) =>
    operationsOf(document).find(([, , { operationId }]) => operationId === id)?.[2] as Operation;

  it('passes the recommended rules of @redocly/cli without an error or a warning', async () => {
    const file = join(makeFolder(), 'openapi.json');
    writeFileSync(file, JSON.stringify(document));
    const linter = join(import.meta.dirname, '../../node_modules/@redocly/cli/bin/cli.js');
    const { stdout } = await execute(
      process.execPath,
      [linter, 'lint', '--extends=recommended', '--format=json', file],
      { env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
    );
    const { totals, problems } = JSON.parse(stdout) as { totals: object; problems: object[] };
    expect(problems).toEqual([]);
    expect(totals).toMatchObject({ errors: 0, warnings: 0 });
  }, 30_000);

  it('names operations as a generated client should', () => {
    const ids = operationsOf(document).map(([path, method, { operationId }]) => [
      `${method} ${path}`,
      operationId,
    ]);
    expect(Object.fromEntries(ids)).toMatchObject({
      'post /auth/register': 'register',
      'post /auth/login': 'login',
      'post /auth/refresh': 'refreshTokens',
      'post /auth/reauthenticate': 'reauthenticate',
      'put /auth/password': 'changePassword',
      'post /auth/logout': 'logout',
      'post /auth/logout-all': 'logoutAll',
      'get /auth/sessions': 'listSessions',
      'delete /auth/sessions/{id}': 'revokeSession',
      'get /admin/users/{id}/sessions': 'listUserSessions',
      'delete /admin/users/{id}/sessions': 'revokeUserSessions',
      'get /.well-known/jwks.json': 'getJwks',
      'get /health/live': 'getLiveness',
      'get /health/ready': 'getReadiness',
      'get /profile': 'getProfile',
      'delete /profile': 'deleteAccount',
    });
    expect(new Set(ids.map(([, id]) => id)).size).toBe(ids.length);
  });

  it('has a summary for every operation, and a description for every tag', () => {
    for (const [path, , { summary }] of operationsOf(document))
      expect([path, summary]).toEqual([path, expect.stringMatching(/^[A-Z].*\.$/)]);
    const used = new Set(operationsOf(document).flatMap(([, , { tags }]) => tags ?? []));
    expect(document.tags?.map(({ name }) => name).filter((name) => !used.has(name))).toEqual([]);
    expect(document.tags?.filter(({ description }) => !description)).toEqual([]);
  });

  it('lists by operation the codes that it can answer', () => {
    const limited = { 429: ['rate_limited'] };
    const body = { 413: ['payload_too_large'], 415: ['unsupported_media_type'] };
    expect(errorsOf(find('register'))).toEqual({
      400: ['validation_failed'],
      403: ['registration_closed'],
      409: ['username_taken'],
      ...body,
      ...limited,
      503: ['overloaded', 'database_unavailable'],
    });
    expect(errorsOf(find('login'))).toEqual({
      400: ['validation_failed'],
      401: ['invalid_credentials', 'second_factor_required'],
      ...body,
      ...limited,
      503: ['overloaded', 'database_unavailable'],
    });
    expect(errorsOf(find('refreshTokens'))).toMatchObject({
      400: ['validation_failed', 'idempotency_key_reused'],
      ...limited,
    });
    expect(errorsOf(find('revokeSession'))).toMatchObject({
      401: expect.arrayContaining(['fresh_token_required']),
      404: ['not_found'],
    });
    expect(errorsOf(find('getJwks'))).toEqual({ 400: ['validation_failed'], 503: ['overloaded'] });
    expect(find('getReadiness').responses['503']?.content?.['application/json']?.schema).toEqual({
      $ref: '#/components/schemas/HealthReportDto',
    });
  });

  it('lists no code with a status that is not its own', () => {
    const known: Record<string, { statuses: readonly number[] }> = ERROR_CODES;
    const listed = [...documentedErrors(document).values()].flatMap((errors) => [...errors]);
    for (const [status, code = ''] of listed.map((error) => error.split(' ')))
      if (known[code])
        expect([code, known[code].statuses]).toEqual([code, expect.arrayContaining([Number(status)])]);
  });

  it('lists a code wherever the server answers it', async () => {
    const login = await api.login();
    const [stale, expired] = [await api.as('cosmo').stale(), await api.as('cosmo').expired()];
    const send = (method: string, path: string, token?: string) => api.request(method, path, token);
    const answers = [
      [
        'register',
        send('POST', '/auth/register').send({ username: login.user.username, password: 'space-corgi-9' }),
      ],
      ['register', send('POST', '/auth/register').type('form').send('a=b')],
      ['register', send('POST', '/auth/register').send({ username: 'x'.repeat(70_000) })],
      ['login', send('POST', '/auth/login').send({ username: 'nobody', password: 'wrong-password' })],
      ['login', send('POST', '/auth/login').send({})],
      ['refreshTokens', send('POST', '/auth/refresh', login.access)],
      ['refreshTokens', send('POST', '/auth/refresh', login.refresh).set('Idempotency-Key', 'ä')],
      ['reauthenticate', send('POST', '/auth/reauthenticate', login.refresh).send({ password: 'wrong' })],
      ['revokeSession', stale.delete('/auth/sessions/x')],
      ['revokeSession', send('DELETE', '/auth/sessions/x', login.access)],
      ['listUserSessions', send('GET', '/admin/users/x/sessions', login.access)],
      ['getProfile', expired.get('/profile')],
      ['getProfile', send('GET', '/profile')],
    ] as const;
    for (const [id, answer] of answers) {
      const { status, body } = await answer;
      expect(status).toBeGreaterThanOrEqual(400);
      expect([id, status, codesOf(find(id), status)]).toEqual([
        id,
        status,
        expect.arrayContaining([(body as { errorCode: string }).errorCode]),
      ]);
    }
  });

  it('lists csrf_failed where tokens come in cookies, and where an answer sets them', async () => {
    const cookies = await createTestApp({ env: { OPENAPI: 'on', TOKEN_LOCATIONS: 'cookie' } });
    try {
      const { body } = await cookies.request('GET', '/openapi.json').expect(200);
      const guarded = operationsOf(body as OpenAPIObject)
        .filter(([, , operation]) => codesOf(operation, 403)?.includes('csrf_failed'))
        .map(([, , { operationId }]) => operationId);
      expect(guarded).toEqual(
        expect.arrayContaining([
          'changePassword',
          'deleteAccount',
          'login',
          'logout',
          'logoutAll',
          'reauthenticate',
          'refreshTokens',
          'revokeSession',
          'revokeUserSessions',
        ]),
      );
      for (const id of ['register', 'listSessions', 'getProfile']) expect(guarded).not.toContain(id);
    } finally {
      await cookies.close();
    }
    const codes = operationsOf(document).flatMap(([, , operation]) => codesOf(operation, 403) ?? []);
    expect(codes).not.toContain('csrf_failed');
  });
});

describe('OPENAPI', () => {
  const paths = ['/docs', '/docs/', '/docs/swagger-ui.css', '/docs/swagger-ui-init.js', '/openapi.json'];

  it.each<Record<string, string>>([
    { OPENAPI: 'off' },
    { OPENAPI: '', NODE_ENV: 'production', APP_URL: 'https://app.example' },
  ])('%j: nothing is served', async (env) => {
    const api = await createTestApp({ env, auth: { keys: generateKeySet() } });
    try {
      for (const path of paths) await api.request('GET', path).expect(404);
    } finally {
      await api.close();
    }
  });

  it.each<Record<string, string>>([
    { OPENAPI: '' },
    { OPENAPI: 'on' },
    { OPENAPI: 'on', NODE_ENV: 'production', APP_URL: 'https://app.example' },
  ])('%j: everything is served, HEAD too', async (env) => {
    const api = await createTestApp({ env, auth: { keys: generateKeySet() } });
    try {
      for (const path of paths) {
        const { headers } = await api.request('GET', path).expect(200);
        const head = await api.request('HEAD', path).expect(200);
        expect([path, head.headers['content-length']]).toEqual([path, headers['content-length']]);
      }
    } finally {
      await api.close();
    }
  });

  it('makes the document once, however often it is asked for', async () => {
    const api = await createTestApp({ env: { OPENAPI: 'on' } });
    try {
      const reads = jest.spyOn(api.get(DiscoveryService), 'getControllers');
      createOpenApiDocument(api.app, new DocumentBuilder().build());
      const ofOneDocument = reads.mock.calls.length;
      reads.mockClear();
      const asked = [...paths, ...paths, ...paths].map((path) => api.request('GET', path).expect(200));
      await Promise.all(asked);
      expect(reads).toHaveBeenCalledTimes(ofOneDocument);
    } finally {
      await api.close();
    }
  });
});
