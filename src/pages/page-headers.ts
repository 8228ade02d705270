import { applyDecorators, Header } from '@nestjs/common';

/** Allows scripts and styles from our own files only, no markup from strings, and no frame around the page. */
const POLICY = [
  "default-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "object-src 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join(';');

/** The headers of a page, in place of those of an API. */
export const PageHeaders = () =>
  applyDecorators(
    Header('Content-Security-Policy', POLICY),
    Header('Cross-Origin-Opener-Policy', 'same-origin'),
  );
