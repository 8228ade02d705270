/** Swagger UI and the document, which no controller serves. Both are public. */
export interface ServedDocument {
  method: 'GET';
  path: string;
  kind: 'document' | 'static files';
}

/** Every path that `setupOpenApi` answers. */
export const SERVED_DOCUMENTS: readonly ServedDocument[] = [
  { method: 'GET', path: '/docs', kind: 'document' },
  { method: 'GET', path: '/docs/*', kind: 'static files' },
  { method: 'GET', path: '/openapi.json', kind: 'document' },
];
