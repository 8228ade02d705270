/** What no controller serves: Swagger UI and the document itself. All of it is public. */
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
