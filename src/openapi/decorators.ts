import type * as Swagger from '@nestjs/swagger';

/*
 * Nest's decorators of the same names. What they say is remembered, and said when somebody first wants the document:
 * `@nestjs/swagger` reads 600 files, a fifth of the start, and most servers are never asked for it. Its own decorators
 * may be used beside these, and have it loaded at the start.
 */

type Module = typeof Swagger;
/** A class, or a prototype with the name of a member and what describes it. */
type RateLimitKey = [target: object, member?: string | symbol, descriptor?: PropertyDescriptor];

const remembered: ((swagger: Module) => void)[] = [];

/** `@nestjs/swagger`, to make a document with: it knows then what the decorators below have said. */
export async function loadSwagger(): Promise<Module> {
  const swagger = await import('@nestjs/swagger');
  for (const say of remembered.splice(0)) say(swagger);
  return swagger;
}

/** @throws Error where a document was made by a module that does not know yet what the decorators have said */
export function requireSaid(): void {
  if (remembered.length > 0)
    throw new Error(
      'take DocumentBuilder and SwaggerModule from `await loadSwagger()`: routes are described then',
    );
}

/** The same decorator, applied when somebody first wants the document. */
export function later<Options extends unknown[], Decorator>(
  decorator: (swagger: Module) => (...options: Options) => Decorator,
): (...options: Options) => Decorator {
  return (...options) => {
    const remember = (...place: RateLimitKey) => {
      remembered.push((swagger) => {
        (decorator(swagger)(...options) as (...place: RateLimitKey) => void)(...place);
      });
    };
    return remember as Decorator;
  };
}

export const ApiTags = later((swagger) => swagger.ApiTags);
export const ApiOperation = later((swagger) => swagger.ApiOperation);
export const ApiHeader = later((swagger) => swagger.ApiHeader);
export const ApiProduces = later((swagger) => swagger.ApiProduces);
export const ApiProperty = later((swagger) => swagger.ApiProperty);
export const ApiPropertyOptional = later((swagger) => swagger.ApiPropertyOptional);
export const ApiOkResponse = later((swagger) => swagger.ApiOkResponse);
export const ApiCreatedResponse = later((swagger) => swagger.ApiCreatedResponse);
export const ApiNoContentResponse = later((swagger) => swagger.ApiNoContentResponse);
export const ApiBadRequestResponse = later((swagger) => swagger.ApiBadRequestResponse);
export const ApiUnauthorizedResponse = later((swagger) => swagger.ApiUnauthorizedResponse);
export const ApiForbiddenResponse = later((swagger) => swagger.ApiForbiddenResponse);
export const ApiNotFoundResponse = later((swagger) => swagger.ApiNotFoundResponse);
export const ApiConflictResponse = later((swagger) => swagger.ApiConflictResponse);
export const ApiTooManyRequestsResponse = later((swagger) => swagger.ApiTooManyRequestsResponse);
export const ApiServiceUnavailableResponse = later((swagger) => swagger.ApiServiceUnavailableResponse);
