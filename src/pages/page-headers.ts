import { applyDecorators, Header } from '@nestjs/common';

/** No script or style but our own files, no string that becomes markup, no frame around it. */
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
