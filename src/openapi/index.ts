/** The public API, `freshgate/openapi`. */
export { createOpenApiDocument } from './document.js';
