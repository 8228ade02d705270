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
    swaggerOptions: { persistAuthorization: true },
  });
}
