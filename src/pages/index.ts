export { PagesModule } from './pages.module.js';
export { type PagesSettings } from './pages-settings.js';
export { PagesOptions } from './pages-options.js';
