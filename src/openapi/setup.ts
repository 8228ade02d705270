import { type INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';
import { createOpenApiDocument } from './document.js';

/** Serves Swagger UI at `/docs` and the OpenAPI 3.1 document at `/openapi.json`, which is created at the first request. */
export function setupOpenApi(app: INestApplication): void {
  const outline = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('freshgate')
    .setDescription(
      'Login gives a fresh access token and a refresh token. A refresh gives access tokens that are not fresh. ' +
        'Critical routes require a fresh one.',
    )
    .setVersion('0.1.0')
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/')
    .addTag('auth', 'Register, log in, refresh tokens and manage sessions.')
    .addTag('factors', 'Second factors: one-time codes and recovery codes.')
    .addTag(
      'admin',
      'Manage other users and their sessions, read the audit trail. Requires the role `admin`.',
    )
    .addTag('keys', 'Public keys that verify access tokens.')
    .addTag('health', 'Probes for load balancers and orchestrators.')
    .addTag('profile', 'The account of the user.')
    .addTag('transfers', 'Example: transfer money between users.')
    .build();
  SwaggerModule.setup('docs', app, () => withUsedTags(createOpenApiDocument(app, outline)), {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'freshgate API',
    swaggerOptions: { persistAuthorization: true, responseInterceptor: adoptTokens },
  });
}

/** Drops the tags of removed features. */
function withUsedTags(document: OpenAPIObject): OpenAPIObject {
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item as object)) as {
    tags?: string[];
  }[];
  const used = new Set(operations.flatMap(({ tags = [] }) => tags));
  return { ...document, tags: (document.tags ?? []).filter(({ name }) => used.has(name)) };
}

/**
 * Makes Swagger UI use the new tokens after a login, a refresh or a reauthentication. Swagger sends the source of this
 * function to the page, so it must not use anything outside of itself.
 */
function adoptTokens(response: { ok: boolean; url: string; text?: string }): object {
  const page = globalThis as unknown as {
    ui: { preauthorizeApiKey: (scheme: string, token: string) => void };
  };
  if (response.ok && /\/auth\/(login|login\/factor|refresh|reauthenticate|password)$/.test(response.url)) {
    const { access_token, refresh_token } = JSON.parse(response.text ?? '{}') as Record<string, string>;
    if (access_token !== undefined) page.ui.preauthorizeApiKey('access_token', access_token);
    if (refresh_token !== undefined) page.ui.preauthorizeApiKey('refresh_token', refresh_token);
  }
  return response;
}
