import { type HttpServer, type SecurityHeadersOptions } from '@nestjs/common';
import { type FastifyAdapter } from '@nestjs/platform-fastify';
import { type IncomingMessage, type ServerResponse } from 'node:http';

const YEAR = 365 * 24 * 60 * 60;

/**
 * What the answers of a JSON API need (OWASP REST Security Cheat Sheet): no browser may run, frame or guess anything of
 * them. `Cache-Control` is set where tokens are looked at.
 * @param overTls HSTS is sent: in production, where TLS ends at a proxy. On plain HTTP it would lock developers out.
 */
export function apiSecurityHeaders(overTls: boolean): SecurityHeadersOptions {
  return {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: { defaultSrc: "'none'", baseUri: "'none'", formAction: "'none'", frameAncestors: "'none'" },
    },
    crossOriginResourcePolicy: { policy: 'same-origin' },
    referrerPolicy: { policy: 'no-referrer' },
    strictTransportSecurity: overTls && { maxAge: YEAR, includeSubDomains: true },
    xContentTypeOptions: true,
    xFrameOptions: { action: 'deny' },
    // Of documents and old browsers alone; `usePageSecurityHeaders` sets what a page needs.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  };
}

/** No `upgrade-insecure-requests`, which leaves a page on plain HTTP blank. */
const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy': [
    "default-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "img-src 'self' data:",
    "object-src 'none'",
    // Swagger UI sets styles on its elements.
    "style-src 'self' 'unsafe-inline'",
  ].join(';'),
  'Cross-Origin-Opener-Policy': 'same-origin',
};

/**
 * Lets the pages at and below a path, like Swagger UI, load scripts, styles and data of their own origin. To be called
 * after `useSecurityHeaders`, before routes are registered.
 */
export function usePageSecurityHeaders(adapter: HttpServer, path: string): void {
  if (adapter.getType() === 'fastify') {
    (adapter as unknown as FastifyAdapter).getInstance().addHook('onRequest', (request, reply, done) => {
      if (request.url.startsWith(path)) reply.headers(PAGE_HEADERS);
      done();
    });
    return;
  }
  adapter.use(path, (_: IncomingMessage, response: ServerResponse, next: () => void) => {
    for (const [name, value] of Object.entries(PAGE_HEADERS)) response.setHeader(name, value);
    next();
  });
}
