import { type HttpServer, type SecurityHeadersOptions } from '@nestjs/common';
import { type FastifyAdapter } from '@nestjs/platform-fastify';
import { type IncomingMessage, type ServerResponse } from 'node:http';

const YEAR = 365 * 24 * 60 * 60;

/**
 * The headers of a JSON API (OWASP REST Security Cheat Sheet): browsers must not run, frame or sniff answers.
 * `Cache-Control` is set where tokens are read.
 * @param overTls sends HSTS: in production, where TLS ends at a proxy. On plain HTTP it would lock developers out
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
    // Only documents and old browsers need them; `usePageSecurityHeaders` sets them for pages.
    crossOriginOpenerPolicy: false,
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  };
}

/** No `upgrade-insecure-requests`: it leaves a page on plain HTTP blank. */
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
 * Lets pages at and below a path, such as Swagger UI, load scripts, styles and data of their own origin. Call it after
 * `useSecurityHeaders`, before routes are registered.
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
