/* eslint-disable import/no-unassigned-import -- for what they do */
// Both hold for code that is compiled after them, so the server is loaded after them.
import './v8-flags.js';
import './compile-cache.js';

await import('./serve.js');
