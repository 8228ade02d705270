/** What applications may import: `freshgate/openapi`. */
export { createOpenApiDocument } from './document.js';
