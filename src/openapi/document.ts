import { type INestApplication } from '@nestjs/common';
import { type OpenAPIObject, SwaggerModule, type SwaggerDocumentOptions } from '@nestjs/swagger';
import { AuthOptions, ErrorDto } from '../auth/index.js';
import { FactorRegistry, listRoutes } from '../auth/internals.js';
import { addFactors } from './factors.js';
import { OperationIds } from './operation-ids.js';
import { type Operation } from './operation.js';
import { describeProtection } from './protection.js';

/**
 * `SwaggerModule.createDocument` with the policy and error codes of every route, read from the same declarations as the
 * guard's. Operations are named after their handlers, unless `options` name them.
 * @param outline the result of `DocumentBuilder`
 */
export function createOpenApiDocument(
  app: INestApplication,
  outline: Omit<OpenAPIObject, 'paths'>,
  options: SwaggerDocumentOptions = {},
): OpenAPIObject {
  const authOptions = app.get(AuthOptions, { strict: false });
  const factors = app.get(FactorRegistry, { strict: false }).all;
  const factorBodies = factors.flatMap(({ body, insteadOfPassword }) => [
    ...(body ? [body] : []),
    ...(insteadOfPassword ? [insteadOfPassword.body] : []),
  ]);
  const ids = new OperationIds(listRoutes(app), options.operationIdFactory);
  const document = SwaggerModule.createDocument(app, outline, {
    ...options,
    extraModels: [...(options.extraModels ?? []), ErrorDto, ...factorBodies],
    operationIdFactory: ids.factory,
  });
  const components = (document.components ??= {});
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item as Record<string, Operation>)) {
      const route = ids.routeOf(operation.operationId, method, path);
      addFactors(operation, factors);
      const schemes = describeProtection(operation, method, route, authOptions);
      components.securitySchemes = { ...components.securitySchemes, ...schemes };
    }
  }
  return document;
}
