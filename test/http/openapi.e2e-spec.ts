import { All, Controller, Get, Post } from '@nestjs/common';
import { ApiOperation, type OpenAPIObject } from '@nestjs/swagger';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  Access,
  AccessOrRefresh,
  describeProtection,
  FreshAccess,
  loadSwagger,
  OptionalAccess,
  Public,
  Roles,
} from '../../src/auth/index.js';
import { createTestApp, type TestApp } from '../../src/testing/index.js';

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

  @Public()
  @Post('public')
  open() {}

  @FreshAccess({ once: true })
  @ApiOperation({ operationId: 'payOnce' })
  @Post('named')
  named() {}
}

interface Operation {
  security: object[];
  description?: string;
  responses: Record<string, { description: string }>;
}

describe('the document of an application with a prefix', () => {
  let app: TestApp;
  let document: OpenAPIObject;
  beforeAll(async () => {
    app = await createTestApp({
      controllers: [VaultController],
      configure: (made) => made.setGlobalPrefix('api'),
    });
    const { DocumentBuilder, SwaggerModule } = await loadSwagger();
    const outline = new DocumentBuilder().build();
    document = describeProtection(app.app, SwaggerModule.createDocument(app.app, outline));
  });
  afterAll(() => app.close());

  const at = (path: string, method = 'get') =>
    (document.paths[`/api/${path}`] as unknown as Record<string, Operation>)[method]!;
  const refusals = (operation: Operation) => operation.responses['401']?.description.match(/\w+/g);

  it('says of every method of a route that takes all what it needs', () => {
    for (const method of ['get', 'post', 'delete', 'patch']) {
      expect(at('vault/all', method).security).toEqual([{ access_token: [] }]);
      expect(at('vault/all', method).description).toContain('at most 5m old');
    }
  });

  it('says it of each path of several, and where the handler has another name', () => {
    for (const path of ['vault/one', 'vault/other']) {
      expect(at(path).description).toBe('Needs an access token. It must have the role ops.');
      expect(at(path).responses['403']?.description).toContain('insufficient_role');
    }
    // Without its name and behind a prefix it is not known; what the guard asks at least is said.
    expect(at('vault/named', 'post').security).toEqual([{ access_token: [] }]);
  });

  it('leaves open what is, and says so of nothing else', () => {
    const open = Object.entries(document.paths).flatMap(([path, item]) =>
      Object.entries(item as unknown as Record<string, Operation>)
        .filter(([, { security }]) => security.length === 0)
        .map(([method]) => `${method} ${path}`),
    );
    expect(open.toSorted()).toEqual([
      'get /api/.well-known/jwks.json',
      'post /api/auth/login',
      'post /api/auth/register',
      'post /api/vault/public',
    ]);
  });

  it('lists the refusals that a route can give, and no other', () => {
    expect(refusals(at('vault/optional'))).toEqual([
      'token_invalid',
      'token_expired',
      'token_wrong_type',
      'token_revoked',
    ]);
    expect(refusals(at('vault/skip'))).not.toContain('token_revoked');
    expect(refusals(at('vault/either'))).not.toContain('token_wrong_type');
    expect(refusals(at('auth/logout', 'post'))).toEqual(['token_missing', 'token_invalid']);
    expect(refusals(at('auth/reauthenticate', 'post'))).toEqual([
      'invalid_credentials',
      'token_missing',
      'token_invalid',
      'token_expired',
      'token_wrong_type',
      'token_revoked',
      'refresh_token_reused',
    ]);
  });
});
