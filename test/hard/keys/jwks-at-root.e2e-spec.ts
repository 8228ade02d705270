import {
  type INestApplication,
  Module,
  RequestMethod,
  VersioningType,
  type VersioningOptions,
} from '@nestjs/common';
import { DocumentBuilder } from '@nestjs/swagger';
import { expect, it } from '@jest/globals';
import { AuthModule } from '../../../src/auth/index.js';
import { DatabaseModule, openDatabase } from '../../../src/database/index.js';
import { generateKeySet } from '../../../src/keys/key-file.js';
import { createOpenApiDocument } from '../../../src/openapi/index.js';
import { createTestApp, type TestApp } from '../../../src/testing/index.js';
import { createNamedAdapter, describeEachAdapter } from '../../support/adapters.js';

const JWKS = '/.well-known/jwks.json';

const VERSIONING: Record<string, VersioningOptions> = {
  'in the URI': { type: VersioningType.URI, defaultVersion: '1' },
  'in a header': { type: VersioningType.HEADER, header: 'X-Version', defaultVersion: '1' },
  'in the media type': { type: VersioningType.MEDIA_TYPE, key: 'v=', defaultVersion: '1' },
};

describeEachAdapter('the public keys stand at the root of the host (RFC 8615)', ({ adapter }) => {
  async function withApp(
    configure: (app: INestApplication) => void,
    use: (api: TestApp) => Promise<unknown>,
  ): Promise<void> {
    @Module({
      imports: [
        DatabaseModule.forRoot(openDatabase(':memory:')),
        AuthModule.forRoot({ keys: generateKeySet() }),
      ],
    })
    class TeamModule {}
    const api = await createTestApp({
      root: TeamModule,
      adapter: await createNamedAdapter(adapter),
      applicationOptions: { bodyParser: false },
      configure,
    });
    try {
      await use(api);
    } finally {
      await api.close();
    }
  }

  const expectKeys = async (api: TestApp) => {
    const { body } = await api.request('GET', JWKS).expect(200);
    expect(body).toEqual({ keys: [expect.objectContaining({ kty: 'EC' })] });
    await api.request('HEAD', JWKS).expect(200);
  };

  it.each(Object.keys(VERSIONING))('with versions %s, and a prefix', async (where) => {
    const set = (app: INestApplication) =>
      void app.setGlobalPrefix('api').enableVersioning(VERSIONING[where]);
    await withApp(set, async (api) => {
      await expectKeys(api);
      await api.request('GET', `/api${JWKS}`).expect(404);
      await api.request('GET', `/v1${JWKS}`).expect(404);
      const path = where === 'in the URI' ? '/api/v1/auth/sessions' : '/api/auth/sessions';
      const sent = { 'X-Version': '1', Accept: 'application/json;v=1' };
      await api.request('GET', path).set(sent).expect(401);
    });
  });

  it('beside the exclusions of the application itself', async () => {
    const exclude = [{ path: 'auth/sessions', method: RequestMethod.GET }];
    await withApp(
      (app) => void app.setGlobalPrefix('api', { exclude }),
      async (api) => {
        await expectKeys(api);
        await api.request('GET', '/auth/sessions').expect(401);
        await api.request('GET', '/api/auth/sessions').expect(404);
        await api.request('POST', '/api/auth/logout').expect(401);
      },
    );
  });

  it('and in the document of the API', async () => {
    await withApp(
      (app) => void app.setGlobalPrefix('api'),
      async ({ app }) => {
        const outline = new DocumentBuilder().setTitle('team').build();
        const paths = Object.keys(createOpenApiDocument(app, outline).paths);
        expect(paths).toContain(JWKS);
        expect(paths).toContain('/api/auth/login');
      },
    );
  });
});
