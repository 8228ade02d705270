import { type INestApplication } from '@nestjs/common';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { describeProtection } from './auth/index.js';

/** Serves Swagger UI at `/docs` and the OpenAPI 3.1 document at `/openapi.json`. */
export function setupOpenApi(app: INestApplication): void {
  const outline = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('freshgate')
    .setDescription(
      'Login gives a fresh access token and a refresh token; a refresh gives access tokens that are not fresh; ' +
        'critical routes demand a fresh one.',
    )
    .setVersion('0.1.0')
    .build();
  const document = () => describeProtection(app, SwaggerModule.createDocument(app, outline));
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'freshgate API',
    swaggerOptions: { persistAuthorization: true, responseInterceptor: adoptTokens },
  });
}

/**
 * Runs in the page, as text: whoever logs in, refreshes or proves the password there goes on with the tokens of the
 * answer, as a client does. Nothing of this module is in reach.
 */
function adoptTokens(response: { ok: boolean; url: string; text?: string }): object {
  const page = globalThis as unknown as {
    ui: { preauthorizeApiKey: (scheme: string, token: string) => void };
  };
  if (response.ok && /\/auth\/(login|refresh|reauthenticate|password)$/.test(response.url)) {
    const { access_token, refresh_token } = JSON.parse(response.text ?? '{}') as Record<string, string>;
    if (access_token !== undefined) page.ui.preauthorizeApiKey('access_token', access_token);
    if (refresh_token !== undefined) page.ui.preauthorizeApiKey('refresh_token', refresh_token);
  }
  return response;
}
