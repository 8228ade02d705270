import { HttpException, type INestApplication, StreamableFile } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import { describeProtection } from './auth/index.js';
import { loadSwagger } from './openapi/decorators.js';

/** Of the answers below, what belongs to the connection: the server that passes them on has one of its own. */
const OF_CONNECTION = new Set(['connection', 'date', 'keep-alive', 'transfer-encoding']);

/**
 * Serves Swagger UI at `/docs` and the OpenAPI 3.1 document at `/openapi.json`. They are made when somebody first asks
 * for them; by then no route can be added, so a server that is never bound answers, and what it says is passed on.
 */
export function setupOpenApi(app: INestApplication): void {
  const server = app.getHttpAdapter();
  let pages: Promise<FastifyAdapter> | undefined;
  const answer = async ({ method, url = '', headers }: IncomingMessage, reply: unknown): Promise<unknown> => {
    pages ??= makePages(app);
    // A HEAD too: who passes the answer on leaves out its body, and says how long it would be.
    const page = await (await pages).inject({ method: 'GET', url, headers });
    const { statusCode: status } = page;
    // In the shape of every other error.
    if (status >= 400)
      throw new HttpException(status === 404 ? `Cannot ${method} ${url}` : `${STATUS_CODES[status]}`, status);
    for (const [name, value] of Object.entries(page.headers))
      if (!OF_CONNECTION.has(name)) server.setHeader(reply, name, String(value));
    return server.reply(reply, status === 304 ? undefined : new StreamableFile(page.rawPayload), status);
  };
  server.get('/openapi.json', answer);
  server.get('/docs', answer);
  server.get(server.getType() === 'fastify' ? '/docs/*' : '/docs/*file', answer);
}

async function makePages(app: INestApplication): Promise<FastifyAdapter> {
  const { DocumentBuilder, SwaggerModule } = await loadSwagger();
  const outline = new DocumentBuilder()
    .setOpenAPIVersion('3.1.0')
    .setTitle('freshgate')
    .setDescription(
      'Login gives a fresh access token and a refresh token; a refresh gives access tokens that are not fresh; ' +
        'critical routes demand a fresh one.',
    )
    .setVersion('0.1.0')
    .build();
  const document = describeProtection(app, SwaggerModule.createDocument(app, outline));
  const adapter = new FastifyAdapter();
  // It asks an application for its adapter, and for nothing else.
  const pages = { getHttpAdapter: () => adapter } as Pick<INestApplication, 'getHttpAdapter'>;
  SwaggerModule.setup('docs', pages as INestApplication, document, {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'freshgate API',
    swaggerOptions: { persistAuthorization: true, responseInterceptor: adoptTokens },
  });
  return adapter;
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
